"""The comparison measures only gateways whose answers are whole, and says of the others why not."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from bench.load import Target, open_loop
from bench.peers.figures import Figures, median
from bench.peers.peer import Peer, Place, Program
from bench.peers.running import Absent, Gateway, running_peer, targets, what_is_wrong
from bench.peers.table import Line, table
from bench.upstream import Upstream
from tools.servers.installed_environments import NotInstalledError

FIGURES = Figures(100, 1.0, 0.1, 50, 2.0, 0.2, 3.0, 9.0, 4.0, 100, 0)


class CutUpstream(Upstream):
    """Its streams end early."""

    def _send(self, index: int) -> None:
        super()._send(index)
        if index == 3:
            self._transport.close()


def served(protocol: type[asyncio.Protocol]) -> Iterator[str]:
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(protocol, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    loop.close()


@pytest.fixture
def upstream() -> Iterator[str]:
    yield from served(Upstream)


@pytest.fixture
def cut_upstream() -> Iterator[str]:
    yield from served(CutUpstream)


def test_a_gateway_whose_answers_are_whole_has_nothing_wrong(upstream: str) -> None:
    assert what_is_wrong(Gateway("upstream", "", {}, *targets(upstream, "k"))) == ""


def test_a_gateway_that_loses_events_is_not_measured(cut_upstream: str) -> None:
    assert what_is_wrong(Gateway("upstream", "", {}, *targets(cut_upstream, "k"))) != ""


def test_a_gateway_that_cannot_be_installed_is_absent_with_the_reason(tmp_path: Path) -> None:
    def prepare(place: Place) -> Program:
        raise NotInstalledError("no index answers")

    with running_peer(Peer("Nobody", "", prepare), "http://127.0.0.1:1/v1", tmp_path) as found:
        assert found == Absent("Nobody", "no index answers")


def test_a_gateway_that_ends_by_itself_is_absent_with_its_log(tmp_path: Path) -> None:
    def prepare(place: Place) -> Program:
        return Program("1", ["false"], {"PATH": "/usr/bin:/bin"}, "k")

    with running_peer(Peer("Nobody", "", prepare), "http://127.0.0.1:1/v1", tmp_path) as found:
        assert isinstance(found, Absent)
        assert str(tmp_path / "output.log") in found.reason


def test_a_ratio_is_our_cost_divided_by_theirs() -> None:
    theirs = Figures(100, 4.0, 0.0, 50, 1.0, 0.0, 5.0, 9.0, 4.0, 100, 2)

    lines = list(table(FIGURES, Line("ours", "all", FIGURES), [Line("theirs", "less", theirs)], [Absent("x", "why")]))

    assert [cell.strip() for cell in lines[3].split("|")[3:9]] == [
        "**4.00**",
        "0.25 ×",
        "100",
        "**1.00**",
        "2.00 ×",
        "50",
    ]
    assert lines[-1] == "Not measured: x, why."


def test_of_several_rounds_the_median_counts() -> None:
    slow, slower = (Figures(*(factor * value for value in vars_of(FIGURES))) for factor in (2, 9))

    assert median([slower, FIGURES, slow]) == slow


def vars_of(figures: Figures) -> list[float]:
    return [getattr(figures, name) for name in Figures.__slots__]


async def test_an_open_loop_that_gives_up_leaves_no_connection_behind() -> None:
    open_now: set[asyncio.BaseTransport] = set()

    class Silent(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            open_now.add(transport)
            self.transport = transport

        def connection_lost(self, exc: Exception | None) -> None:
            open_now.discard(self.transport)

    server = await asyncio.get_running_loop().create_server(Silent, "127.0.0.1", 0)
    port = cast(int, server.sockets[0].getsockname()[1])

    result = await open_loop(Target(f"http://127.0.0.1:{port}/", "k", b""), rate=100, seconds=0.1, drain_s=0.1)
    while open_now:
        await asyncio.sleep(0.01)

    assert result.unfinished == 10
