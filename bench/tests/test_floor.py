"""The floor answers as what it is measured beside does, and its table says ratios the right way round."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.floor.figures import Cost, Costs, measure
from bench.floor.frames import AnswerCodec, CallCodec
from bench.floor.running import ROOT, VARIANTS, running_floor
from bench.floor.table import Line, table
from bench.peers.peer import Program
from bench.peers.running import Absent, Gateway, started, what_is_wrong
from bench.upstream import EVENTS
from servicekit.multiplex import Answer, Call
from tools.servers.installed_environments import kept
from tools.servers.ports import free_port

COST = Cost(cpu=2.0, edge=1.5, relay=0.5, stores=0.1, rate=100, parts=20, errors=0)


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "bench.upstream", str(port)]
    with started(Program("", command, kept(PYTHONPATH=str(ROOT)), ""), tmp_path / "upstream"):
        yield f"http://127.0.0.1:{port}/v1"


def least_of(cost: Cost) -> float:
    return min(cost.edge, cost.relay, cost.stores)


async def measured(gateway: Gateway) -> Costs:
    """Measure until every process has used a hundredth of a second of CPU: what takes less is told as none."""
    seconds = 0.5
    while True:
        costs = await measure(gateway, seconds)
        if seconds > 30 or min(map(least_of, (costs.plain, costs.stream))) > 0:
            return costs
        seconds *= 2


async def test_every_edge_gives_whole_answers_and_is_measured_with_what_it_uses(upstream: str, tmp_path: Path) -> None:
    with running_floor(upstream, tmp_path) as floor:
        found = [one for one in floor if isinstance(one, Gateway)]
        assert [one for one in floor if isinstance(one, Absent)] == []
        # A plain answer and a whole stream of 20 each.
        assert [what_is_wrong(one) for one in found] == [""] * len(VARIANTS)
        assert [{*one.pids, *one.stores} for one in found] == [
            {"edge", "relay", "redis"},
            {"edge", "relay"},
            {"edge"},
            {"edge"},
        ]
        costs = await measured(found[0])

    for cost in (costs.plain, costs.stream):
        assert cost.errors == 0
        assert cost.cpu == pytest.approx(cost.edge + cost.relay)
        assert least_of(cost) > 0
    assert costs.plain.parts == pytest.approx(1, abs=0.1)
    assert 1 <= costs.stream.parts <= len(EVENTS)


def test_any_bytes_cross_the_shared_rpc() -> None:
    body = bytes(range(256))
    call = Call(7, "Stream", body, "id", "parent", "", 1.5, 1024, len(body))
    part, last = Answer(7, body, False, len(body)), Answer(8, body, True, len(body))

    assert list(AnswerCodec().decode(CallCodec().encode([call]))) == [call]
    assert list(CallCodec().decode(AnswerCodec().encode([part, last]))) == [part, last]


def test_a_line_is_compared_with_ours_and_with_portkey() -> None:
    def line(name: str, cpu: float) -> Line:
        cost = replace(COST, cpu=cpu)
        return Line(name, Costs(cost, cost))

    lines = list(table(line("ours", 2.0), [line("floor", 0.5)], line("portkey", 1.0), [Absent("x", "why")]))

    assert [cell.strip() for cell in lines[3].split("|")[1:7]] == [
        "floor",
        "**0.50**",
        "1.50",
        "0.50",
        "4.00 ×",
        "0.50 ×",
    ]
    assert lines[-1] == "Not measured: x, why."


def test_without_portkey_the_floor_is_still_compared_with_ours() -> None:
    lines = list(table(Line("ours", Costs(COST, COST)), [], None, []))

    assert [cell.strip() for cell in lines[2].split("|")[5:7]] == ["1.00 ×", "–"]
