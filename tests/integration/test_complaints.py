"""docs/operations/from-complaint-to-cause.md: its commands, as they stand, show the cause of three complaints."""

from __future__ import annotations

import json
import shutil
from typing import Any, Final

import pytest

from tests.documents import code_blocks, run_shell
from tests.integration.books import Books
from tests.integration.caller import Heard, ask
from tests.integration.waiting import wait_until
from tests.span_receiver import SpanReceiver, lead_to_a_provider
from tools.stack.home import REPOSITORY
from tools.stack.running_stack import Account, RunningStack

GUIDE: Final = REPOSITORY / "docs" / "operations" / "from-complaint-to-cause.md"
LIMIT_S: Final = 120


class Findings:
    """What each step of the guide printed."""

    def __init__(self, stack: RunningStack, account: Account, request_id: str) -> None:
        if shutil.which("curl") is None:
            pytest.skip("the guide needs curl")
        first, *steps = [text for language, text in code_blocks(GUIDE) if language == "sh"]
        assert "REQUEST_ID=" in first
        ours = {
            "REQUEST_ID": request_id,
            "LOGS": str(stack.parts.home.logs),
            "RAZVILKA_HOME": str(stack.parts.home.root),
            "RAZVILKA_URL": stack.url,
            "RAZVILKA_API_KEY": account.key,
            "RAZVILKA_ADMIN_KEY": stack.admin_key,
        }
        self.line, self.trace, self.row, self.explanation, self.provider = [
            run_shell(step, REPOSITORY, ours, limit_s=LIMIT_S) for step in steps
        ]

    @property
    def canonical(self) -> dict[str, Any]:
        """Return the one line of step 1."""
        [line] = self.line.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found


def complained(stack: RunningStack, books: Books, question: str, **wishes: Any) -> tuple[Heard, Findings]:
    """Ask as a user does, wait for the row, and follow the guide."""
    account = stack.new_account()
    heard = ask(stack.url, account.key, question, **wishes)
    books.wait_for_rows(account.user_id)
    return heard, Findings(stack, account, heard.request_id)


def test_a_request_that_failed_leads_to_the_providers_attempt(
    stack: RunningStack, books: Books, spans: SpanReceiver
) -> None:
    """Line, trace, row, explanation and router say the same, joined by one id."""
    heard, found = complained(stack, books, "Где юг? [[fault:status code=500]]", model="gigachat-pro")

    assert heard.status == 502
    assert (found.canonical["status"], found.canonical["error"]) == (502, "provider_error")
    trace_id = found.canonical["trace_id"]
    assert found.trace.strip().endswith(f"/trace/{trace_id}")
    steps = spans.wait_for(trace_id, lead_to_a_provider)
    assert {span.attributes.get("error.type", "") for span in steps} >= {"PROVIDER_ERROR", "provider_error"}
    row = json.loads(found.row)
    assert (row["trace_id"], row["error_code"], row["status"]) == (trace_id, "provider_error", "failed")
    assert [each["provider"] for each in row["attempts"]] == ["gigachat"] * 2
    explained = json.loads(found.explanation)
    assert explained["error_code"] == "provider_error"
    assert {each["provider"] for each in explained["attempts"]} == {"gigachat"}
    assert "router.retry" in found.provider
    assert "gigachat-pro" in found.provider


def test_a_request_that_was_slow_says_where_the_time_went(stack: RunningStack, books: Books) -> None:
    """The provider thought for seconds: not the queue, and not us."""

    def asked() -> Findings:
        question = "Где запад? [[fault:latency ms=2000]]"
        return complained(stack, books, question, model="gigachat-pro", stream=True)[1]

    def is_the_providers(found: Findings) -> bool:
        timing = json.loads(found.explanation)["timing"]
        return bool(timing["provider_ms"] > timing["queue_ms"] + timing["gateway_ms"])

    # Again, where the machine itself stood still for as long.
    found = wait_until(asked, is_the_providers)
    assert found.canonical["first_token_ms"] >= 2000
    assert json.loads(found.explanation)["timing"]["provider_ms"] >= 2000


def test_a_request_that_was_dear_is_multiplied_out(stack: RunningStack, books: Books) -> None:
    """Line, row and explanation name one sum, and the explanation how it comes about."""
    _, found = complained(stack, books, "Расскажи всё. [[chunks:40]]", model="yandexgpt")

    explained = json.loads(found.explanation)
    rub = sum(float(explained["price"][part]["rub"]) for part in ("input", "cached", "output"))
    micro_rub = found.canonical["cost_micro_rub"]
    assert micro_rub > 0
    assert abs(rub * 1e6 - micro_rub) <= 1
    assert round(json.loads(found.row)["cost"] * 1e6) == micro_rub
    assert explained["price"]["output"]["tokens"] == found.canonical["tokens_out"]
