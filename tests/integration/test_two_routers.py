"""Two routers behind one gateway: who is asked, and what is lost with one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from razvilka.auth.v1 import auth_pb2

from tests.integration.books import Books
from tests.integration.caller import Heard, ask
from tests.integration.processes import Processes, ServiceProcess
from tests.integration.providers import Providers
from tests.integration.waiting import wait_until
from tools.servers.ports import LOOPBACK, free_port
from tools.stack.running_stack import Account, RunningStack

QUESTION: Final = "Где север?"
# Fifteen seconds, much longer than it takes to look at both routers and to end one.
LONG_STREAM: Final = "Где север? [[tokens:150]] [[chunks:150]] [[gap:100]]"
STREAMS: Final = 8


@dataclass(slots=True)
class Router:
    """A router and its metrics."""

    process: ServiceProcess
    metrics_port: int

    def _value(self, name: str, method: str) -> int:
        page = httpx.get(f"http://{LOOPBACK}:{self.metrics_port}/metrics", trust_env=False, timeout=60).text
        samples = (each for family in text_string_to_metric_families(page) for each in family.samples)
        return int(sum(each.value for each in samples if each.name == name and each.labels.get("method") == method))

    @property
    def streams(self) -> int:
        """Streams in hand."""
        return self._value("razvilka_rpc_server_in_flight", "Stream")

    @property
    def answers(self) -> int:
        """Whole answers so far."""
        return self._value("razvilka_rpc_server_seconds_count", "Complete")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two routers and a gateway that spreads its calls over both."""

    routers: tuple[Router, Router]
    gateway: ServiceProcess
    account: Account

    def ask(self) -> Heard:
        """Ask for a whole answer."""
        return ask(self.gateway.url, self.account.key, QUESTION)

    def wait_until_both_answer(self) -> None:
        """Ask until each has answered once more: an RPC leads to either."""
        before = [router.answers for router in self.routers]

        def both() -> bool:
            assert self.ask().is_whole
            return all(router.answers > then for router, then in zip(self.routers, before, strict=True))

        wait_until(both, within_s=60.0)


def started(processes: Processes, port: int = 0) -> Router:
    metrics_port = free_port()
    return Router(processes.start("router", {"ROUTER_METRICS_PORT": str(metrics_port)}, port=port), metrics_port)


@pytest.fixture
def pair(stack: RunningStack, processes: Processes, providers: Providers) -> Iterator[Pair]:
    """Two routers that are both in use, and an account with a budget."""
    account = stack.new_account(budget_micro_rub=1_000_000_000, budget_period=auth_pb2.BUDGET_PERIOD_TOTAL)
    routers = started(processes), started(processes)
    targets = ",".join(router.process.target for router in routers)
    # Renewed often: a gateway that finds only one of them ready at first, or again, does not stay with it for long.
    gateway = processes.gateway(GATEWAY_ROUTER_TARGET=f"ipv4:{targets}", GATEWAY_MULTIPLEX_RENEW_S="1")
    running = Pair(routers, gateway, account)
    running.wait_until_both_answer()
    yield running
    gateway.stop()


def during_streams(pair: Pair, happens: Callable[[], None]) -> tuple[list[int], list[Heard]]:
    """Let something happen while there are streams; return how many each router had, and what the callers heard."""
    with ThreadPoolExecutor(STREAMS) as pool:
        callers: list[Future[Heard]] = [
            pool.submit(ask, pair.gateway.url, pair.account.key, LONG_STREAM, stream=True) for _ in range(STREAMS)
        ]
        counts = wait_until(lambda: [router.streams for router in pair.routers], lambda found: sum(found) == STREAMS)
        happens()
        return counts, [each.result() for each in callers]


def test_a_killed_router_loses_only_its_own_calls(books: Books, pair: Pair) -> None:
    """Those end with today's error and one row each; the other router finishes its own and takes what is new."""
    after: list[Heard] = []

    def kill() -> None:
        pair.routers[0].process.kill()
        wait_until(lambda: pair.ask().is_whole)
        after.extend(pair.ask() for _ in range(10))

    counts, heard = during_streams(pair, kill)

    failed = [each for each in heard if not each.is_whole]
    assert min(counts) > 0
    assert len(failed) == counts[0]
    assert {each.error["code"] for each in failed} == {"service_unavailable"}
    assert all(each.is_whole for each in after)
    pair.gateway.stop()
    rows = {row["request_id"]: row["status"] for row in books.rows(pair.account.user_id)}
    assert {rows[each.request_id] for each in failed} == {"failed"}
    books.check(pair.account.user_id)


def test_a_router_that_stops_in_order_loses_nothing(books: Books, pair: Pair) -> None:
    """It finishes what it has, takes nothing new, and the gateway asks the other."""
    after: list[Heard] = []

    def stop() -> None:
        pair.routers[0].process.process.terminate()
        after.extend(pair.ask() for _ in range(20))

    counts, heard = during_streams(pair, stop)
    pair.routers[0].process.stop()

    assert min(counts) > 0
    assert all(each.is_whole for each in (*heard, *after))
    pair.gateway.stop()
    books.check(pair.account.user_id)


def test_a_router_that_comes_back_gets_its_share(processes: Processes, pair: Pair) -> None:
    """By the next renewals, without a restart of the gateway."""
    pair.routers[0].process.kill()
    wait_until(lambda: pair.ask().is_whole)

    back = started(processes, port=pair.routers[0].process.port)
    again = Pair((back, pair.routers[1]), pair.gateway, pair.account)
    again.wait_until_both_answer()

    def share_of_twenty() -> list[int]:
        before = [router.answers for router in again.routers]
        assert all(again.ask().is_whole for _ in range(20))
        return [router.answers - then for router, then in zip(again.routers, before, strict=True)]

    # A renewal that finds a busy router late leaves all to the other, until the next.
    wait_until(share_of_twenty, lambda share: sum(share) == 20 and min(share) >= 5)
