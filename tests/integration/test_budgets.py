"""Budgets over gateways, keys, time zones and a Redis that comes and goes."""

from __future__ import annotations

import asyncio
import os
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx
import pytest
from razvilka.auth.v1 import auth_pb2, auth_pb2_grpc

from servicekit.rpc_client import unary
from tests.integration.books import Books
from tests.integration.caller import Heard, ask
from tests.integration.processes import Processes, pause, resume
from tests.integration.random_requests import random_order, send_all
from tests.integration.zones import zone_away_from_midnight
from tools.stack.running_stack import PATIENT, Account, RunningStack

SHORT: Final = "Где север? [[tokens:3]]"
PAUSE_S: Final = 3.0
CLIENTS: Final = 8
# `make books` sends 10,000.
MIXES: Final = int(os.environ.get("RAZVILKA_BUDGET_MIXES", "240"))
# Half of what one request costs on average: the budget ends in the middle.
MOST_OF_ONE: Final = 20_000
DECIDED_ALONE: Final = re.compile(r"^razvilka_gateway_limits_degraded_requests_total (\S+)$", re.MULTILINE)


def pause_redis(stack: RunningStack) -> None:
    """Redis hangs for some seconds."""
    pids = stack.redis_pids()
    pause(*pids)
    try:
        time.sleep(PAUSE_S)
    finally:
        resume(*pids)


def kill_redis(stack: RunningStack) -> None:
    """Redis is killed; the supervisor starts it again."""
    stack.kill_redis()


def flush_redis(stack: RunningStack) -> None:
    """Redis loses everything."""
    with stack.redis() as client:
        client.flushall()


@pytest.mark.parametrize("away", [pause_redis, kill_redis, flush_redis])
def test_redis_away_for_seconds_refuses_nobody(
    stack: RunningStack, books: Books, away: Callable[[RunningStack], None]
) -> None:
    """A caller with a budget whose rest is known is served by the gateway's share; afterwards the books agree."""
    # So large that no machine is quick enough to spend a gateway's share of it meanwhile, or a hundredth of that.
    account = stack.new_account(budget_micro_rub=100_000_000_000, budget_period=auth_pb2.BUDGET_PERIOD_MONTH)
    assert ask_once_known(stack, account.key).status == 200
    over = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        asking = [pool.submit(ask_until, stack.url, account.key, over) for _ in range(CLIENTS)]
        time.sleep(1.0)
        away(stack)
        time.sleep(2.0)
        over.set()
        counted = sum((each.result() for each in asking), Counter[int]())
    stack.wait_until_ready()

    assert set(counted) == {200}
    books.check(account.user_id)


def ask_once_known(stack: RunningStack, key: str) -> Heard:
    """Ask for the first time when the gateway hears from Redis, also what the budget has left.

    For some seconds after Redis was away it still decides alone, and grants little of a rest that nobody has heard of.
    """
    metrics, other = {stack.url: stack.metrics_url("gateway")}, stack.new_account()
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at:
        before = decided_alone(metrics)
        if ask(stack.url, other.key, SHORT, max_tokens=50).status == 200 and decided_alone(metrics) == before:
            break
        time.sleep(0.2)
    return ask(stack.url, key, SHORT, max_tokens=50)


def ask_until(url: str, key: str, over: threading.Event) -> Counter[int]:
    """Ask again and again; return how often which status came."""
    counted: Counter[int] = Counter()
    while not over.is_set():
        # Small holds: gateways of earlier tests may still count as replicas, and each share is as much smaller.
        counted[ask(url, key, SHORT, max_tokens=50).status] += 1
    return counted


def key_info(url: str, key: str) -> dict[str, Any]:
    """Return what /v1/auth/key says."""
    answer = httpx.get(f"{url}/v1/auth/key", headers={"authorization": f"Bearer {key}"}, trust_env=False, timeout=60)
    found: dict[str, Any] = answer.json()["data"]
    return found


def test_rotating_a_key_does_not_renew_its_budget(stack: RunningStack, books: Books) -> None:
    """The successor sees what its predecessor spent, is refused for it, and the books agree."""
    account = stack.new_account(budget_micro_rub=300_000, budget_period=auth_pb2.BUDGET_PERIOD_TOTAL)
    first = ask_once_known(stack, account.key)
    assert first.status == 200, first.body
    spent = books.wait_for_rows(account.user_id)[0]["micro_rub"]
    before = key_info(stack.url, account.key)

    successor = rotate(stack, account)
    after = key_info(stack.url, successor)
    second = ask(stack.url, successor, SHORT, max_tokens=50)
    rows = books.wait_for_rows(account.user_id, 2)

    assert second.status == 200
    assert spent > 0
    assert after["limit_remaining"] == before["limit_remaining"] == pytest.approx(0.3 - spent / 1e6)
    assert after["usage"] == pytest.approx(spent / 1e6)
    assert {row["key_id"] for row in rows} == {account.key_id}
    books.check(account.user_id)


def rotate(stack: RunningStack, account: Account) -> str:
    """Rotate a key at the auth service, as an operator may; return the new secret."""

    async def ask_auth() -> str:
        async with stack.auth.channel() as channel:
            stub: Any = auth_pb2_grpc.AuthServiceStub(channel)
            request = auth_pb2.RotateApiKeyRequest(
                user_id=account.user_id, key_id=account.key_id, overlap_s=60, by_operator=True
            )
            return str((await unary(stub.RotateApiKey, request, **PATIENT)).secret)

    return asyncio.run(ask_auth())


def test_a_daily_budget_begins_at_the_owners_midnight(stack: RunningStack, books: Books) -> None:
    """Counters, rows and /v1/auth/key go by the account's zone, not by UTC."""
    account = stack.new_account(budget_micro_rub=5_000_000, budget_period=auth_pb2.BUDGET_PERIOD_DAY)
    zone = zone_away_from_midnight()
    set_zone(stack, account, zone)

    assert ask(stack.url, account.key, SHORT, max_tokens=50).status == 200
    spent = books.wait_for_rows(account.user_id)[0]["micro_rub"]
    info = key_info(stack.url, account.key)

    with stack.redis() as client:
        names: Any = {*client.scan_iter(f"gw:{{{account.user_id}}}:b:*", count=1_000)}
    # The last part alone: every sixteenth key has an id that begins with a "d", too.
    periods = [name.decode().rpartition(":")[2] for name in names]
    (label,) = [period.removeprefix("d") for period in periods if period.startswith("d")]
    starts = datetime.fromtimestamp(int(label.split("-")[0]), UTC).astimezone(ZoneInfo(zone))
    assert (starts.hour, starts.minute, starts.second) == (0, 0, 0)
    assert starts.date() == datetime.now(ZoneInfo(zone)).date()
    assert info["limit_remaining"] == pytest.approx(5 - spent / 1e6)
    books.check(account.user_id)


def set_zone(stack: RunningStack, account: Account, zone: str) -> None:
    """Change an account's time zone, as its owner would."""
    stack.query("UPDATE auth.users SET time_zone = $2 WHERE id = $1 RETURNING id", account.user_id, zone)


@pytest.fixture(scope="module")
def four_gateways(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Addresses of four gateways, the suite's own and three more, each with that of its metrics."""
    processes = Processes(stack, tmp_path_factory.mktemp("four"))
    try:
        more = [processes.gateway(journal=f"journal-{number}") for number in range(3)]
        own = {stack.url: stack.metrics_url("gateway")}
        yield own | {each.url: f"http://127.0.0.1:{each.environment['GATEWAY_METRICS_PORT']}/metrics" for each in more}
    finally:
        processes.stop_all()


def decided_alone(gateways: dict[str, str]) -> int:
    """Return how many requests the gateways have decided without Redis so far."""
    texts = [httpx.get(metrics, trust_env=False, timeout=60).text for metrics in gateways.values()]
    return sum(int(float(count)) for text in texts for count in DECIDED_ALONE.findall(text))


@pytest.mark.timeout(3600)
def test_a_budget_is_never_exceeded_by_more_than_what_is_disputed(
    stack: RunningStack, four_gateways: dict[str, str], books: Books
) -> None:
    """Random requests in parallel over four gateways on one budget, which ends half-way through them.

    A machine so busy that Redis is late is one whose gateways decide alone now and then: each such decision may add its
    cost, and no more (docs/budgets.md, what is not guaranteed).
    """
    rng = random.Random(11)
    account = stack.new_account(budget_micro_rub=MIXES * MOST_OF_ONE, budget_period=auth_pb2.BUDGET_PERIOD_DAY)
    orders = [random_order(rng) for _ in range(MIXES)]

    alone_before, began = decided_alone(four_gateways), time.monotonic()
    replies = send_all(list(four_gateways), account.key, orders)
    took_s = time.monotonic() - began

    counted = Counter(reply.status for reply in replies)
    rows = books.wait_for_rows(account.user_id, counted[200], within_s=120.0)
    spent = sum(row["micro_rub"] for row in rows)
    disputed = sum(row["micro_rub"] for row in rows if row["source"] == "disputed")
    over = sum(row["over_hold_micro_rub"] for row in rows)
    others = Counter((reply.status, reply.code, reply.message) for reply in replies if reply.status not in (200, 429))
    sys.stdout.write(f"\n{MIXES} requests in {took_s:.0f} s: {dict(counted)} {dict(others)}\n")
    alone = decided_alone(four_gateways) - alone_before
    sys.stdout.write(f"{alone} decided without Redis; dearest {max(row['micro_rub'] for row in rows)}\n")
    sys.stdout.write(f"{spent} µ₽ spent of {MIXES * MOST_OF_ONE}; disputed {disputed}, over hold {over}\n")
    assert counted[200]
    assert counted[429]
    assert {reply.code for reply in replies if reply.status == 429} <= {"budget_exceeded"}
    assert {row["endpoint"] for row in rows} == {"chat.completions", "completions", "embeddings"}
    assert spent <= MIXES * MOST_OF_ONE + disputed + over + alone * max(row["micro_rub"] for row in rows)
    books.check(account.user_id)
