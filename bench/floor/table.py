"""The one table: ours, the floor by what is left out of it, Portkey."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.floor.figures import Cost, Costs
from bench.peers.running import Absent

OF_EACH: Final = ("CPU ms", "edge", "relay", "ours is", "of Portkey's", "answers/s")
COLUMNS: Final = (
    "what",
    *(f"plain: {name}" if name == "CPU ms" else name for name in OF_EACH),
    *(f"stream of 20: {name}" if name == "CPU ms" else name for name in OF_EACH),
    "parts a stream",
    "errors",
)
HOW_TO_READ: Final = (
    "CPU is user and system time an answer at 64 connections, of all processes but Redis and PostgreSQL (edge and "
    "relay: ours are gateway and router); each line of the floor lacks one part more than the line above it, so the "
    "difference of two is the price of that part, and what ours costs above the floor's first line is code of ours."
)


@dataclass(frozen=True, slots=True)
class Line:
    """What one costs."""

    name: str
    costs: Costs


def table(ours: Line, floor: Sequence[Line], portkey: Line | None, absent: Sequence[Absent]) -> Iterator[str]:
    """Yield the lines."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|" + "---|" * len(COLUMNS)
    for line in (ours, *floor, *([portkey] if portkey else [])):
        yield _row(line.name, line.costs, ours.costs, portkey.costs if portkey else None)
    yield ""
    yield HOW_TO_READ
    for one in absent:
        yield f"Not measured: {one.name}, {one.reason}."


def _row(name: str, costs: Costs, ours: Costs, portkey: Costs | None) -> str:
    plain = _cells(costs.plain, ours.plain, portkey.plain if portkey else None)
    stream = _cells(costs.stream, ours.stream, portkey.stream if portkey else None)
    rest = (f"{costs.stream.parts:.1f}", f"{costs.plain.errors + costs.stream.errors:.0f}")
    return f"| {' | '.join((name, *plain, *stream, *rest))} |"


def _cells(cost: Cost, ours: Cost, portkey: Cost | None) -> Iterator[str]:
    yield f"**{cost.cpu:.2f}**"
    yield _if_any(cost.edge)
    yield _if_any(cost.relay)
    yield f"{ours.cpu / cost.cpu:.2f} ×"
    yield f"{cost.cpu / portkey.cpu:.2f} ×" if portkey else "–"
    yield f"{cost.rate:.0f}"


def _if_any(milliseconds: float) -> str:
    return f"{milliseconds:.2f}" if milliseconds else "–"
