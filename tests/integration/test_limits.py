"""Limits and budgets over several gateways that share one Redis, and without it."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import httpx
import pytest
from razvilka.auth.v1 import auth_pb2

from services.gateway.settings import AdmissionSettings
from tests.integration.books import Books
from tests.integration.caller import Heard, ask
from tests.integration.processes import Processes, pause, resume
from tests.integration.providers import Providers
from tests.integration.rates import FREE_A_MINUTE, returned_since
from tests.integration.waiting import wait_until
from tools.stack.running_stack import RunningStack

LEASE_S: Final = 3.0
# Of gateways that are told nothing.
OTHERS_LEASE_S: Final = AdmissionSettings().lease_s
PRO_REQUESTS_PER_MINUTE: Final = 100
PRO_AT_ONCE: Final = 20
FREE_AT_ONCE: Final = 5
SHORT: Final = "Где север? [[tokens:3]]"
# Twelve seconds: until the last of those who ask at once has asked, and longer than a busy machine stands still.
LONG: Final = "Где север? [[tokens:120]] [[chunks:120]] [[gap:100]]"
# Far above what Redis's own time-outs add (0.1 s each until the breaker opens), and what a busy machine does; far below
# a hang.
BOUNDED_S: Final = 15.0


@pytest.fixture(scope="module")
def gateways(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Addresses of three gateways, which wait for Redis; the suite's own would decide alone when Redis is late."""
    processes = Processes(stack, tmp_path_factory.mktemp("gateways"))
    try:
        yield [processes.gateway(journal=f"journal-{number}").url for number in range(3)]
    finally:
        processes.stop_all()


def ask_at_once(
    urls: list[str], key: str, content: str, *, times: int, at_once: int, stream: bool = False
) -> list[Heard]:
    """Ask again and again, by turns at every gateway."""
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda number: ask(urls[number % len(urls)], key, content, stream=stream), range(times)))


def outcomes(answers: list[Heard]) -> Counter[str]:
    """Count statuses and codes."""
    return Counter(f"{heard.status} {heard.error.get('code', '')}".strip() for heard in answers)


def test_requests_a_minute_are_counted_once_for_all_gateways(
    stack: RunningStack, gateways: list[str], books: Books
) -> None:
    """Over three gateways exactly the limit is admitted, and what comes back with time: not one more."""
    account = stack.new_account(tier="pro")

    began = time.monotonic()
    counted: Counter[str] = Counter()
    answers: list[Heard] = []
    # While a slow machine asks, more comes back with time: then it takes more to be refused.
    while set(counted) <= {"200"} and len(answers) < 2_000:
        answers += ask_at_once(gateways, account.key, SHORT, times=160, at_once=PRO_AT_ONCE - 4)
        counted = outcomes(answers)
    returned = returned_since(began, PRO_REQUESTS_PER_MINUTE)

    assert set(counted) == {"200", "429 rate_limit_exceeded"}
    assert PRO_REQUESTS_PER_MINUTE <= counted["200"] <= PRO_REQUESTS_PER_MINUTE + returned
    refused = next(heard for heard in answers if heard.status == 429)
    assert int(refused.headers["retry-after"]) >= 1
    assert int(refused.headers["x-ratelimit-remaining"]) == 0
    assert len(books.wait_for_rows(account.user_id, counted["200"])) == counted["200"]
    books.check(account.user_id)


def test_requests_at_once_are_counted_once_for_all_gateways(stack: RunningStack, gateways: list[str]) -> None:
    """Five run, the others are refused, whichever gateway they ask; afterwards there is room again."""
    key = stack.issue_key(tier="free")

    answers = ask_at_once(gateways, key, LONG, times=12, at_once=12, stream=True)

    assert outcomes(answers) == {"200": FREE_AT_ONCE, "429 concurrent_limit": 12 - FREE_AT_ONCE}
    assert ask(gateways[0], key, SHORT).status == 200


def test_the_slots_of_a_killed_gateway_are_free_again(
    stack: RunningStack, processes: Processes, providers: Providers
) -> None:
    """Five requests die with their gateway; when their leases have expired, five others may run."""
    key = stack.issue_key(tier="free")
    doomed = processes.gateway(GATEWAY_ADMISSION_LEASE_S=str(LEASE_S))

    with ThreadPoolExecutor(FREE_AT_ONCE) as pool:
        for _ in range(FREE_AT_ONCE):
            pool.submit(ask, doomed.url, key, LONG, stream=True)
        wait_until(lambda: len(providers.calls()) == FREE_AT_ONCE)
        full = ask(stack.url, key, SHORT)
        doomed.kill()
    killed_at = time.monotonic()
    wait_until(lambda: ask(stack.url, key, SHORT).status == 200, within_s=60)

    assert (full.status, full.error["code"]) == (429, "concurrent_limit")
    assert time.monotonic() - killed_at < OTHERS_LEASE_S


def test_a_budget_is_never_exceeded_and_nothing_stays_held(
    stack: RunningStack, gateways: list[str], books: Books
) -> None:
    """Forty at once at three gateways for a budget of a few answers: the sum stays within it, the rest is told why."""
    budget_micro_rub = 400_000
    account = stack.new_account(budget_micro_rub=budget_micro_rub, budget_period=auth_pb2.BUDGET_PERIOD_DAY)
    content = "Где север? [[tokens:40]]"

    with ThreadPoolExecutor(12) as pool:
        answers = list(
            pool.map(lambda number: ask(gateways[number % 3], account.key, content, max_tokens=50), range(40))
        )

    counted = outcomes(answers)
    assert set(counted) == {"200", "429 budget_exceeded"}
    rows = books.wait_for_rows(account.user_id, counted["200"])
    spent = sum(row["micro_rub"] for row in rows)
    assert len(rows) == counted["200"]
    # What is left would not hold one more answer: the most one can cost is its hold.
    most_for_one = max(row["micro_rub"] for row in rows) * 2
    assert budget_micro_rub - most_for_one < spent <= budget_micro_rub
    assert next(heard for heard in answers if heard.status == 429).headers["x-should-retry"] == "false"
    books.check(account.user_id)


@contextmanager
def hanging_redis(stack: RunningStack) -> Iterator[None]:
    """Redis does not answer, and does not refuse either."""
    pids = stack.redis_pids()
    pause(*pids)
    try:
        yield
    finally:
        resume(*pids)


def degraded(stack: RunningStack) -> float:
    """Return what the gateway says about its limits."""
    text = httpx.get(stack.metrics_url("gateway"), trust_env=False, timeout=60).text
    found = re.search(r"^razvilka_gateway_limits_degraded(?:\{\})? ([0-9.]+)$", text, re.MULTILINE)
    assert found, "the metric is missing"
    return float(found[1])


def test_a_redis_that_hangs_delays_little_and_is_told(stack: RunningStack, books: Books) -> None:
    """Every request is answered in bounded time, the metric says so, and afterwards all is as before."""
    account = stack.new_account()
    ask(stack.url, account.key, SHORT)

    with hanging_redis(stack):
        answers, slowest = [], 0.0
        for _ in range(12):
            began = time.monotonic()
            answers.append(ask(stack.url, account.key, SHORT))
            slowest = max(slowest, time.monotonic() - began)
        while_lost = degraded(stack)
    wait_until(lambda: ask(stack.url, account.key, SHORT).status == 200 and degraded(stack) == 0)

    assert outcomes(answers) == {"200": 12}
    assert slowest < BOUNDED_S
    assert while_lost == 1
    asked = {heard.request_id for heard in answers}
    wait_until(lambda: {row["request_id"] for row in books.rows(account.user_id)}, lambda stored: asked <= stored)
    books.check(account.user_id)


def test_a_redis_that_hangs_does_not_lift_the_limits(stack: RunningStack) -> None:
    """Each gateway goes on with its share: a free account gets no more than its minute's worth, and what comes back."""
    key = stack.issue_key(tier="free")
    ask(stack.url, key, SHORT)

    with hanging_redis(stack):
        began = time.monotonic()
        counted = outcomes([ask(stack.url, key, SHORT) for _ in range(30)])
        returned = returned_since(began)
    wait_until(lambda: degraded(stack) == 0)

    assert 0 < counted["200"] <= FREE_A_MINUTE + returned
    assert counted["429 rate_limit_exceeded"] == 30 - counted["200"]
    assert counted["429 rate_limit_exceeded"] >= 10 - returned
