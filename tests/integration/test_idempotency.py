"""Idempotency keys over gateways that die: one call that is paid, whatever happens to whoever began it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest
from razvilka.auth.v1 import auth_pb2

from tests.integration.books import Books
from tests.integration.caller import Heard, ask
from tests.integration.processes import Processes
from tests.integration.providers import Providers
from tests.integration.test_crash_points import CUT_STREAM, asking, restarted
from tests.integration.waiting import wait_until
from tools.stack.running_stack import Account, RunningStack

KEYED: Final = {"Idempotency-Key": "order-1"}
QUESTION: Final = "Где север? [[tokens:30]] [[chunks:3]] [[gap:100]]"
RACERS: Final = 24
# A gateway that is killed is believed alive for no longer than this.
LEASE: Final = {"GATEWAY_IDEMPOTENCY_LEASE_S": "2"}


@pytest.fixture
def account(stack: RunningStack) -> Account:
    """A fresh account whose key has a budget."""
    return stack.new_account(budget_micro_rub=1_000_000_000, budget_period=auth_pb2.BUDGET_PERIOD_TOTAL)


def is_replay(heard: Heard) -> bool:
    """Tell whether an answer says that it was given before."""
    return bool(heard.headers.get("idempotent-replayed") == "true")


def test_many_at_once_over_gateways_are_one_call_and_one_row(
    stack: RunningStack, books: Books, processes: Processes, providers: Providers, account: Account
) -> None:
    """By what the provider was really asked, and by the books."""
    urls = [stack.url, processes.gateway().url]
    with ThreadPoolExecutor(RACERS) as pool:
        racing = [
            pool.submit(ask, urls[number % 2], account.key, QUESTION, stream=True, headers=KEYED)
            for number in range(RACERS)
        ]
    answers = [each.result() for each in racing]

    assert all(each.is_whole for each in answers)
    assert len({each.body for each in answers}) == 1
    assert [is_replay(each) for each in answers].count(False) == 1
    assert len(providers.calls()) == 1
    [row] = books.wait_for_rows(account.user_id)
    assert row["micro_rub"] > 0
    books.check(account.user_id)


def test_a_retry_survives_the_death_of_the_gateway_that_began_and_is_the_one_bill(
    stack: RunningStack, books: Books, processes: Processes, providers: Providers, account: Account
) -> None:
    """Killed in the middle of a stream: another gateway answers anew, and what the dead one did costs nothing."""
    gateway = processes.gateway(**LEASE)
    with asking(gateway.url, account.key, CUT_STREAM, stream=True, headers=KEYED) as first:
        providers.wait_for_call()
        wait_until(lambda: providers.calls()[-1]["delivered_tokens"] > 10)
        gateway.kill()
    cut = first.result()

    retried = ask(stack.url, account.key, CUT_STREAM, stream=True, headers=KEYED)
    again = ask(stack.url, account.key, CUT_STREAM, stream=True, headers=KEYED)
    restarted(processes, books, account)

    assert not cut.is_done
    assert (retried.is_whole, is_replay(retried)) == (True, False)
    assert (again.body, is_replay(again)) == (retried.body, True)
    assert len(providers.calls()) == 2
    rows = {row["request_id"]: row for row in books.wait_for_rows(account.user_id, 2)}
    paid = rows.pop(retried.request_id)
    [unpaid] = rows.values()
    assert (paid["status"], paid["micro_rub"] > 0) == ("completed", True)
    assert (unpaid["status"], unpaid["micro_rub"], unpaid["tokens_input"] > 0) == ("interrupted", 0, True)
    books.check(account.user_id)


def test_an_answer_that_is_kept_can_be_had_and_is_billed_though_its_gateway_died_before_sending_it(
    stack: RunningStack, books: Books, processes: Processes, providers: Providers, account: Account
) -> None:
    """It is kept together with its bill, before that is journalled: exactly once, and nobody pays for what is lost."""
    gateway = processes.gateway(failpoint="gateway.before_settled", **LEASE)
    lost = ask(gateway.url, account.key, QUESTION, headers=KEYED)
    gateway.wait_until_killed()

    retried = ask(stack.url, account.key, QUESTION, headers=KEYED)
    restarted(processes, books, account)

    assert lost.broke
    assert (retried.is_whole, is_replay(retried)) == (True, True)
    assert len(providers.calls()) == 1
    [row] = books.wait_for_rows(account.user_id)
    assert row["request_id"] == retried.headers["x-razvilka-original-request-id"]
    assert (row["source"], row["micro_rub"] > 0) == ("provider", True)
    books.check(account.user_id)
