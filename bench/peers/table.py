"""The one table: a gateway a line, and how much of its cost ours is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.peers.figures import Figures
from bench.peers.running import Absent

COLUMNS: Final = (
    "gateway",
    "what it does besides passing on",
    "plain: CPU ms",
    "ours is",
    "answers/s",
    "stream of 20: CPU ms",
    "ours is",
    "streams/s",
    "first byte p50 ms",
    "200/s: added p50 ms",
    "added p99",
    "peak MiB",
    "errors",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One gateway's figures."""

    name: str
    does: str
    figures: Figures


def table(direct: Figures, ours: Line, peers: Sequence[Line], absent: Sequence[Absent]) -> Iterator[str]:
    """Yield the lines; `direct` is the upstream alone, which latency is counted from."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|" + "---|" * len(COLUMNS)
    for line in (ours, *peers):
        yield _row(line, ours.figures, direct)
    yield ""
    of = ours.figures
    yield (
        f"The upstream alone: p50 {direct.p50:.1f} ms, p99 {direct.p99:.1f} ms at 200/s, {direct.plain_rate:.0f} "
        f"answers/s. Ours with PostgreSQL and Redis: plain {_with_stores(of.plain_cpu, of.plain_stores)}"
        f", stream {_with_stores(of.stream_cpu, of.stream_stores)} CPU ms."
    )
    for one in absent:
        yield f"Not measured: {one.name}, {one.reason}."


def _row(line: Line, ours: Figures, direct: Figures) -> str:
    of = line.figures
    cells = [line.name, line.does]
    cells += [f"**{_digits(of.plain_cpu)}**", f"{ours.plain_cpu / of.plain_cpu:.2f} ×", f"{of.plain_rate:.0f}"]
    cells += [f"**{_digits(of.stream_cpu)}**", f"{ours.stream_cpu / of.stream_cpu:.2f} ×", f"{of.stream_rate:.0f}"]
    cells += [f"{of.first_byte:.0f}"]
    cells += [f"{of.p50 - direct.p50:.1f}", f"{of.p99 - direct.p99:.1f}", f"{of.peak_mib:.0f}", f"{of.errors:.0f}"]
    return f"| {' | '.join(cells)} |"


def _with_stores(services: float, stores: float) -> str:
    return f"{services:.2f} + {stores:.2f}"


def _digits(milliseconds: float) -> str:
    return f"{milliseconds:.2f}" if milliseconds >= 0.1 else f"{milliseconds:.3f}"
