"""Batches over gateways that die: every line is answered and billed once, at half price, whoever began it."""

from __future__ import annotations

import io
import json
from typing import Any, Final

import openai
import pytest
from razvilka.auth.v1 import auth_pb2

from tests.integration.books import Books
from tests.integration.processes import Processes
from tests.integration.providers import Providers
from tests.integration.waiting import wait_until
from tools.stack.running_stack import Account, RunningStack

LINES: Final = 6
# YandexGPT Lite costs 0.20 roubles per 1,000 tokens, and half of that where calls are deferred.
MICRO_RUB_A_TOKEN: Final = 100
WORKER: Final = {
    "GATEWAY_BATCHES_PARALLEL": "4",
    "GATEWAY_BATCHES_POLL_S": "0.1",
    "GATEWAY_BATCHES_RENEW_S": "1",
    "GATEWAY_IDEMPOTENCY_LEASE_S": "8",
}


@pytest.fixture
def account(stack: RunningStack) -> Account:
    """A fresh account whose key has a budget."""
    return stack.new_account(budget_micro_rub=1_000_000_000, budget_period=auth_pb2.BUDGET_PERIOD_TOTAL)


def begun(stack: RunningStack, account: Account) -> tuple[openai.OpenAI, str]:
    """Return a client and the id of a batch that has just begun."""
    client = openai.OpenAI(base_url=f"{stack.url}/v1", api_key=account.key, max_retries=0)
    lines = [
        {
            "custom_id": f"q-{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {
                "model": "yandexgpt-lite:latest",
                "messages": [{"role": "user", "content": f"Где стоянка номер {number}? [[tokens:20]]"}],
            },
        }
        for number in range(LINES)
    ]
    content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    file = client.files.create(file=("asked.jsonl", io.BytesIO(content)), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"of": "tests"}
    )
    return client, batch.id


def completed(client: openai.OpenAI, batch_id: str) -> list[dict[str, Any]]:
    """Return the answers of a batch, when it has ended."""
    batch = wait_until(
        lambda: client.batches.retrieve(batch_id), lambda found: found.status == "completed", within_s=60
    )
    assert batch.request_counts is not None
    assert (batch.request_counts.completed, batch.metadata) == (LINES, {"of": "tests"})
    assert batch.output_file_id is not None
    return [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]


def taken(providers: Providers) -> list[dict[str, Any]]:
    """Return the deferred calls that the provider took, and bills."""
    return [call for call in providers.calls() if call["path"].endswith("completionAsync") and call["status"] == 200]


def check_bill(books: Books, providers: Providers, account: Account, answers: list[dict[str, Any]]) -> None:
    """By the provider's own count: one paid row a line, at half price; whatever else there is costs nothing."""
    wanted = {answer["response"]["request_id"] for answer in answers}
    rows = wait_until(
        lambda: {row["request_id"]: row for row in books.rows(account.user_id)}, lambda found: wanted <= found.keys()
    )
    paid = {name: row for name, row in rows.items() if row["micro_rub"]}
    assert paid.keys() == wanted
    used = sum(call["prompt_tokens"] + call["completion_tokens"] for call in taken(providers))
    assert sum(row["micro_rub"] for row in paid.values()) == used * MICRO_RUB_A_TOKEN
    books.check(account.user_id)


@pytest.mark.parametrize("failpoint", ["gateway.after_dispatched:3", "gateway.before_settled:2"])
def test_every_line_is_billed_once_though_its_gateway_died(
    stack: RunningStack, books: Books, processes: Processes, providers: Providers, account: Account, failpoint: str
) -> None:
    """Before a line was asked, or after its answer was kept: another gateway goes on, and nothing is paid twice."""
    gateway = processes.gateway(failpoint=failpoint, **WORKER)
    client, batch_id = begun(stack, account)

    gateway.wait_until_killed()
    processes.gateway(**WORKER)
    answers = completed(client, batch_id)

    assert sorted(answer["custom_id"] for answer in answers) == [f"q-{number}" for number in range(LINES)]
    assert len(taken(providers)) == LINES
    check_bill(books, providers, account, answers)
