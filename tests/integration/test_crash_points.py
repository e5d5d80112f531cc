"""Every row of the table "What is durable when a process is killed" in docs/architecture.md, with real processes.

Each test has an account of its own with a budget, so that its rows, its rollups and its counters in Redis can be
compared at the end: `books.check`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from razvilka.auth.v1 import auth_pb2

from services.gateway.metering.journal.frames import frames
from services.gateway.metering.journal.records import Progress, decode
from tests.integration.books import Books
from tests.integration.caller import Heard, ask
from tests.integration.processes import Processes, ServiceProcess
from tests.integration.providers import Providers
from tests.integration.waiting import wait_until
from tools.stack.running_stack import Account, RunningStack

BUDGET_MICRO_RUB: Final = 1_000_000_000
# As long as the suite waits for a first token, or nearly: whoever kills somebody meanwhile may be late.
SLOW_START: Final = "Где север? [[latency:7000]]"
# Two seconds: PROGRESS is journalled once a second.
SLOW_STREAM: Final = "Где север? [[tokens:60]] [[chunks:20]] [[gap:100]]"
# As slow, and ten seconds long: it is cut after two of them, on a machine that may stand still for as long again.
CUT_STREAM: Final = "Где север? [[tokens:300]] [[chunks:100]] [[gap:100]]"
QUESTION: Final = "Где север? [[tokens:30]] [[chunks:3]]"


@pytest.fixture
def account(stack: RunningStack) -> Account:
    """A fresh account whose key has a budget."""
    return stack.new_account(budget_micro_rub=BUDGET_MICRO_RUB, budget_period=auth_pb2.BUDGET_PERIOD_TOTAL)


@contextmanager
def asking(url: str, key: str, content: str, **fields: Any) -> Iterator[Future[Heard]]:
    """Ask in the background."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(ask, url, key, content, **fields)


def restarted(processes: Processes, books: Books, account: Account) -> ServiceProcess:
    """Return the killed gateway's successor, once it has worked through the journal."""
    successor = processes.gateway()
    wait_until(lambda: len(list(processes.journal("journal").glob("*/lock"))) == 1)
    books.wait_until_nothing_is_held(account.user_id)
    return successor


# The first script of a new account only says that its budget's counters must be rebuilt.
@pytest.mark.parametrize("failpoint", ["gateway.before_admit_reply:2", "gateway.after_admit"], ids=["1", "2"])
def test_before_dispatch_nothing_is_billed(
    books: Books, processes: Processes, providers: Providers, account: Account, failpoint: str
) -> None:
    """Points 1 and 2: the hold is taken, no provider was asked; the successor releases it."""
    gateway = processes.gateway(failpoint=failpoint)

    heard = ask(gateway.url, account.key, QUESTION, stream=True)
    gateway.wait_until_killed()
    held = books.held(account.user_id)
    restarted(processes, books, account)

    assert heard.broke
    assert held
    assert providers.calls() == []
    assert books.rows(account.user_id) == []
    books.check(account.user_id)


def test_waiting_for_the_first_token_bills_the_input(
    books: Books, processes: Processes, providers: Providers, account: Account
) -> None:
    """Point 3: the provider has the prompt, nothing came back yet."""
    gateway = processes.gateway()

    with asking(gateway.url, account.key, SLOW_START, stream=True) as answer:
        providers.wait_for_call()
        gateway.kill()
    restarted(processes, books, account)

    [row] = books.wait_for_rows(account.user_id)
    assert answer.result().broke
    assert (row["source"], row["status"], row["tokens_output"]) == ("estimated", "interrupted", 0)
    assert row["tokens_input"] > 0
    assert row["micro_rub"] > 0
    books.check(account.user_id)


def test_mid_stream_bills_what_was_delivered(
    books: Books, processes: Processes, providers: Providers, account: Account
) -> None:
    """Point 4: input and the tokens of the last PROGRESS, never more than the caller has."""
    gateway = processes.gateway()

    with asking(gateway.url, account.key, CUT_STREAM, stream=True) as answer:
        providers.wait_for_call()
        wait_until(lambda: has_progress(processes.journal("journal")))
        gateway.kill()
    heard = answer.result()
    restarted(processes, books, account)

    [row] = books.wait_for_rows(account.user_id)
    assert heard.text
    assert not heard.is_done
    assert (row["source"], row["status"]) == ("estimated", "interrupted")
    assert 0 < row["tokens_output"] <= providers.calls()[-1]["delivered_tokens"]
    books.check(account.user_id)


def has_progress(journal: Path) -> bool:
    """Tell whether a gateway has journalled what of an answer was delivered."""
    written = (decode(each.payload) for file in journal.glob("*/*.seg") for each in frames(file.read_bytes()))
    return any(isinstance(record, Progress) for record in written)


def test_before_settled_bills_an_estimate(
    books: Books, processes: Processes, providers: Providers, account: Account
) -> None:
    """Point 5: the provider has ended, the caller has not seen [DONE]."""
    gateway = processes.gateway(failpoint="gateway.before_settled")

    heard = ask(gateway.url, account.key, SLOW_STREAM, stream=True)
    gateway.wait_until_killed()
    restarted(processes, books, account)

    [row] = books.wait_for_rows(account.user_id)
    assert heard.text
    assert not heard.is_done
    assert (row["source"], row["status"]) == ("estimated", "interrupted")
    assert 0 < row["tokens_output"] <= providers.calls()[-1]["completion_tokens"]
    books.check(account.user_id)


@pytest.mark.parametrize("failpoint", ["gateway.after_settled", "gateway.before_ack"])
def test_after_settled_bills_exactly_once(
    books: Books, processes: Processes, providers: Providers, account: Account, failpoint: str
) -> None:
    """Point 6: in the journal, in Redis or stored, but not acknowledged: the provider's own count, once."""
    gateway = processes.gateway(failpoint=failpoint)

    ask(gateway.url, account.key, QUESTION)
    gateway.wait_until_killed()
    restarted(processes, books, account)

    [row] = books.wait_for_rows(account.user_id)
    [call] = providers.calls()
    assert (row["source"], row["status"]) == ("provider", "completed")
    assert (row["tokens_input"], row["tokens_output"]) == (call["prompt_tokens"], call["completion_tokens"])
    books.check(account.user_id)


@pytest.mark.parametrize("failpoint", ["usage.in_transaction", "usage.after_commit"])
def test_a_killed_usage_service_stores_each_row_once(
    books: Books, processes: Processes, account: Account, failpoint: str
) -> None:
    """Point 7: rolled back, or stored without a reply; the batch is sent again."""
    usage = processes.start("usage", failpoint=failpoint)
    gateway = processes.gateway(GATEWAY_USAGE_TARGET=usage.target)

    heard = ask(gateway.url, account.key, QUESTION)
    usage.wait_until_killed()
    before = books.rows(account.user_id)
    processes.start("usage", port=usage.port)

    [row] = books.wait_for_rows(account.user_id)
    assert heard.is_whole
    assert len(before) == (1 if failpoint == "usage.after_commit" else 0)
    assert (row["request_id"], row["source"]) == (heard.request_id, "provider")
    gateway.stop()  # it drains its journal: what it has not been told is stored would be sent once more
    books.check(account.user_id)


def test_without_postgresql_answers_are_billed_later(stack: RunningStack, books: Books, account: Account) -> None:
    """Point 8: a key that was seen before works on; every row arrives when PostgreSQL is back."""
    first = stack_ask(stack, account)
    books.wait_for_rows(account.user_id)

    stack.stop("postgres")
    try:
        meanwhile = [stack_ask(stack, account) for _ in range(5)]
    finally:
        stack.start("postgres")
        stack.wait_until_ready()

    rows = books.wait_for_rows(account.user_id, 6)
    assert [heard.is_whole for heard in meanwhile] == [True] * 5
    assert {row["request_id"] for row in rows} == {heard.request_id for heard in (first, *meanwhile)}
    assert {row["source"] for row in rows} == {"provider"}
    books.check(account.user_id)


@pytest.mark.parametrize("loss", ["SIGKILL", "FLUSHALL"])
def test_without_redis_running_answers_end_and_budgets_are_rebuilt(
    stack: RunningStack, books: Books, providers: Providers, account: Account, loss: str
) -> None:
    """Point 9: the stream goes on to [DONE]; afterwards the counters say what the rows say."""
    stack_ask(stack, account)
    books.wait_for_rows(account.user_id)
    providers.reset()

    with asking(stack.url, account.key, SLOW_STREAM, stream=True) as answer:
        providers.wait_for_call()
        if loss == "SIGKILL":
            stack.kill_redis()
        else:
            with stack.redis() as client:
                client.flushall()
    heard = answer.result()
    wait_until(lambda: stack_ask(stack, account).is_whole)

    rows = books.wait_for_rows(account.user_id, 3)
    assert heard.is_whole
    assert {row["source"] for row in rows} == {"provider"}
    wait_until(lambda: "u" in books.budget_counters(account.user_id))
    books.check(account.user_id)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_router_killed_in_a_call_is_an_error_and_one_row(
    books: Books, processes: Processes, providers: Providers, account: Account, stream: bool
) -> None:
    """Point 10: the gateway lives; it answers with an error, and bills what it has seen."""
    router = processes.start("router")
    gateway = processes.gateway(GATEWAY_ROUTER_TARGET=router.target)

    with asking(gateway.url, account.key, CUT_STREAM if stream else SLOW_START, stream=stream) as answer:
        providers.wait_for_call()
        if stream:
            # Two seconds of it: the gateway may be as much behind the provider.
            wait_until(lambda: providers.calls()[-1]["delivered_tokens"] > 60)
        router.kill()
    heard = answer.result()

    [row] = books.wait_for_rows(account.user_id)
    assert row["request_id"] == heard.request_id
    if stream:
        assert (heard.status, heard.is_done) == (200, False)
        assert heard.error["code"] == "service_unavailable"
        assert row["status"] == "failed"
        assert 0 < row["tokens_output"] <= providers.calls()[-1]["delivered_tokens"]
    else:
        assert heard.status == 503
        assert heard.error["code"] == "service_unavailable"
        assert (row["status"], row["micro_rub"]) == ("failed", 0)
    gateway.stop()
    books.check(account.user_id)


def test_a_gateway_lost_with_its_disk_is_billed_by_another(
    stack: RunningStack, books: Books, processes: Processes, providers: Providers, account: Account
) -> None:
    """Point 11: the hold in Redis is all there is; when it has expired another gateway bills the input and frees it."""
    gateway = processes.gateway(journal="lost")

    with asking(gateway.url, account.key, SLOW_START):
        providers.wait_for_call()
        gateway.kill()
    shutil.rmtree(processes.journal("lost"))
    too_early = books.rows(account.user_id)
    let_holds_expire(stack, account)

    [row] = books.wait_for_rows(account.user_id)
    assert too_early == []
    assert (row["source"], row["status"], row["tokens_output"]) == ("reaped", "interrupted", 0)
    assert row["micro_rub"] > 0
    books.check(account.user_id)


def stack_ask(stack: RunningStack, account: Account) -> Heard:
    """Ask the suite's own gateway."""
    return ask(stack.url, account.key, QUESTION)


def let_holds_expire(stack: RunningStack, account: Account) -> None:
    """Take the account's holds back in time, instead of waiting minutes for the lease and the grace to pass."""
    key = f"gw:{{{account.user_id}}}:h"
    with stack.redis() as client:
        members: Any = client.zrange(key, 0, -1)
        for member in members:
            client.zincrby(key, -1e9, member)
