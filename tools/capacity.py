"""How many processes a rate needs, by the costs that docs/performance.md has measured: `python -m tools.capacity`."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[1] / "docs" / "operations" / "capacity.md"
MARK: Final = "<!-- capacity -->\n"
SIZES: Final = (100, 1000, 10_000)
MEASURED: Final = Path(__file__).parents[1] / "docs" / "performance.md"
# The columns of its table after the sum over all services, in CPU ms a request.
COLUMNS: Final = ("gateway", "router", "auth", "usage", "redis", "postgres")
CASES: Final = ("plain, minimal upstream", "stream of 20, minimal upstream")
# Of a core, so that a process that ends leaves the others enough, and a peak finds room.
FULL: Final = 0.6
# Each of ours uses one core at most, and there are two of each where one may be restarted.
SERVICES: Final = ("gateway", "router", "auth", "usage")
LEAST: Final = 2
NEWLINES: Final = "\n\n"
STORED_BYTES: Final = 1300
MOST_RATE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Need:
    """What a program needs: cores on average, and processes of one core each; 0: it is a server of its own."""

    program: str
    cores: float
    processes: int


def costs_of(text: str) -> dict[str, tuple[float, ...]]:
    """Return CPU ms a request of each column, by case.

    Raises:
        ValueError: the table has no such row.
    """
    found = {}
    for case in CASES:
        row = re.search(rf"^\| {re.escape(case)} \|.*\*\*[\d.]+\*\* \|(.*)\|$", text, re.MULTILINE)
        if row is None:
            raise ValueError(f"{MEASURED.name} has no row `{case}`: `make bench` writes it")
        found[case] = tuple(map(float, row[1].split("|")))
    return found


def needs(rate: float, streams_percent: float, text: str) -> list[Need]:
    """Return what so many requests a second need, of which `streams_percent` are streams of twenty events."""
    costs, share = costs_of(text), streams_percent / 100
    plain, streams = (costs[case] for case in CASES)
    return [
        _need(program, rate / 1000 * (ms * (1 - share) + ms_stream * share))
        for program, ms, ms_stream in zip(COLUMNS, plain, streams, strict=True)
    ]


def _need(program: str, cores: float) -> Need:
    return Need(program, cores, max(LEAST, math.ceil(cores / FULL)) if program in SERVICES else 0)


def table(rate: float, streams_percent: float, text: str) -> str:
    """Return the needs as a table, and what a day of them stores."""
    rows = "".join(_row(need) for need in needs(rate, streams_percent, text))
    stored_gb = rate * 86_400 * STORED_BYTES / 1e9
    return (
        f"{rate:g} requests a second, {streams_percent:g} % streams; a day at that rate is {rate * 86_400 / 1e6:,.1f} "
        f"million rows, {stored_gb:,.0f} GB with sums and indexes.\n\n"
        f"| program | cores used | processes of one core each |\n|---|---|---|\n{rows}"
    )


def _row(need: Need) -> str:
    return f"| {need.program} | {need.cores:.2f} | {_processes(need)} |\n"


def _processes(need: Need) -> str:
    if need.processes:
        return str(need.processes)
    if need.program == "redis" and need.cores > FULL:
        # It runs scripts on one core, however many there are.
        return "more than one Redis carries"
    cores = max(1, math.ceil(need.cores / FULL))
    return f"one server, {cores} core{'s' if cores > 1 else ''}"


def page(before: str, measured: str) -> str:
    """Return the page of capacity with its tables as they are measured now."""
    head, _, rest = before.partition(MARK)
    tail = rest.rpartition(MARK)[2]
    tables = "\n".join(f"**{table(rate, 50, measured).replace(NEWLINES, f'**{NEWLINES}', 1)}" for rate in SIZES)
    return f"{head}{MARK}\n{tables}\n{MARK}{tail}"


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make capacity", description=__doc__)
    parser.add_argument("--rate", type=_rate, default=1000, help="requests a second (1000)")
    parser.add_argument("--streams", type=_percent, default=50, help="percent of them that are streams (50)")
    parser.add_argument("--write", action="store_true", help="write the tables of docs/operations/capacity.md instead")
    return parser.parse_args(arguments)


def _rate(text: str) -> float:
    return _between(text, MOST_RATE)


def _percent(text: str) -> float:
    return _between(text, 100)


def _between(text: str, most: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= most:
        raise argparse.ArgumentTypeError(f"{text}: must be a number from 0 to {most}")
    return value


def main(arguments: Sequence[str]) -> None:
    """Print the table; wrong arguments end with status 2 and say which."""
    given = _parsed(arguments)
    if given.write:
        PAGE.write_text(page(PAGE.read_text(), MEASURED.read_text()))
    else:
        sys.stdout.write(table(given.rate, given.streams, MEASURED.read_text()))


if __name__ == "__main__":
    main(sys.argv[1:])
