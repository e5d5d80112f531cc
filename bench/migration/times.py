"""`make migration-times`: how long each step of the night takes, as lines of the table in docs/migration/guide.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.migration.dataset import make_clean
from bench.migration.programs import Measured, measure
from bench.migration.server import Server, durable_server
from tools.testing.databases import Databases

TOOL: Final = (sys.executable, "-m", "migrate")
SIZES: Final = (100_000, 1_000_000, 10_000_000)
DIGITS: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
HEAD: Final = "| usage rows | `plan` | `run` | `verify` | down time of `cutover` |\n|---|---|---|---|---|"


class Failed(Exception):
    """A step did not end well; the message has what it said."""


def main() -> int:
    """Move a clean database of each size; return 1 where a step failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES, help="usage rows; several sizes")
    sizes: Sequence[int] = parser.parse_args().rows
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores\n\n{HEAD}", flush=True)
    try:
        for rows in sizes:
            print(_line(rows), flush=True)
    except Failed as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


def _line(rows: int) -> str:
    with tempfile.TemporaryDirectory(prefix="razvilka-times-") as folder, durable_server() as server:
        source = Path(folder) / "old.db"
        make_clean(source, rows)
        steps = _Steps(source, Path(folder), _environment(server))
        seconds = [steps.take("plan", "plan").wall_s, steps.take("run", "move").wall_s, steps.take("verify").wall_s]
        verdict = _verdict(steps.take("cutover", "move").output)
    return f"| {power(rows)} | {' | '.join(map(span, (*seconds, verdict['downtime_s'])))} |"


def _verdict(output: str) -> dict[str, float]:
    # Beside it stands the line that 1.0 can write again.
    found: dict[str, float] = json.JSONDecoder().raw_decode(output, output.index("{"))[0]
    return found


def _environment(server: Server) -> dict[str, str]:
    databases = Databases(server.dsn)
    dsns = {f"{name.upper()}_POSTGRES_DSN": databases.create(name) for name in ("auth", "usage")}
    return {**dsns, "RAZVILKA_SCRATCH_DSN": server.dsn}


class _Steps:
    def __init__(self, source: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self._source = source
        self._folder = folder
        self._environment = environment

    def take(self, verb: str, report: str = "") -> Measured:
        folder = ("--report", str(self._folder / report)) if report else ()
        used = measure((*TOOL, verb, "--source", str(self._source), *folder, "--json"), self._environment)
        if used.status:
            raise Failed(f"{verb} ended with {used.status}:\n{used.output[-2_000:]}")
        return used


def power(rows: int) -> str:
    """Return a number of rows as the table has it: 10⁵, 5·10⁶."""
    digits = str(rows)
    zeros = len(digits) - len(digits.rstrip("0"))
    head = digits[: len(digits) - zeros]
    return ("" if head == "1" else f"{head}·") + f"10{str(zeros).translate(DIGITS)}"


def span(seconds: float) -> str:
    """Return a time as people say it; below ten seconds with a tenth."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


if __name__ == "__main__":
    sys.exit(main())
