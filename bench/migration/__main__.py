"""`make bench-migration`: a clean database of 1.0 into a fresh 1.1, then verified; beside pgloader."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.migration import peer
from bench.migration.dataset import make_clean
from bench.migration.programs import Measured, measure
from bench.migration.server import Server, durable_server
from bench.migration.watch import Watch
from tools.testing.databases import Databases

TOOL: Final = (sys.executable, "-m", "migrate")
HEAD: Final = """
| what | rows/s | seconds | CPU µs a row, own | server | peak MiB |
|---|---|---|---|---|---|"""


def main() -> int:
    """Run it; return 1 where something moved not whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--no-pgloader", action="store_true", help="leave it out, though it is there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="razvilka-bench-") as folder, durable_server() as server:
        source = Path(folder) / "old.db"
        make_clean(source, options.rows)
        size = source.stat().st_size / 2**20
        print(f"{options.rows:,} usage rows of a year, {size:,.0f} MiB; load {os.getloadavg()[0]:.1f}")
        print(HEAD)
        moved = _ours(server, source, Path(folder) / "report", options.rows)
        if moved.is_whole and peer.is_there() and not options.no_pgloader:
            _compare(moved, _pgloader(server, source, Path(folder), options.rows), options.rows)
    return 0 if moved.is_whole else 1


@dataclass(frozen=True, slots=True)
class _Moved:
    """How a move went.

    Attributes:
        wall_s: until `run` had ended, months with their indexes and sums.
        stored_s: until the last row was stored.
        indexed_s: until all rows had their indexes.
    """

    is_whole: bool
    wall_s: float
    stored_s: float | None
    indexed_s: float | None


def _ours(server: Server, source: Path, report: Path, rows: int) -> _Moved:
    databases = Databases(server.dsn)
    environment = {f"{name.upper()}_POSTGRES_DSN": databases.create(name) for name in ("auth", "usage")}
    begin, cpu = server.log.stat().st_size, server.cpu_s()
    with Watch(environment["USAGE_POSTGRES_DSN"], rows) as watch:
        moved = measure((*TOOL, "run", "--source", str(source), "--report", str(report), "--json"), environment)
    _print("run", moved, server.cpu_s() - cpu, rows)
    kinds = server.seconds_by_kind(begin)
    cpu = server.cpu_s()
    verified = measure((*TOOL, "verify", "--source", str(source), "--json"), environment)
    _print("verify", verified, server.cpu_s() - cpu, rows)
    _print_kinds(kinds, rows)
    return _Moved(_whole("run", moved) and _whole("verify", verified), moved.wall_s, watch.stored_s, watch.indexed_s)


def _pgloader(server: Server, source: Path, folder: Path, rows: int) -> float:
    cpu = server.cpu_s()
    measured, found = peer.load(server, source, folder)
    _print("pgloader", measured, server.cpu_s() - cpu, rows)
    print(
        f"\npgloader: {found:,} of {rows:,} rows, into a plain table with the same indexes, without checks, sums and "
        "a record of repairs. Into the real, partitioned one it moves nothing."
    )
    return measured.wall_s


def _compare(moved: _Moved, pgloader_s: float, rows: int) -> None:
    """Say how many times pgloader's rows a second these are, at each point of the way."""
    points = {
        "stored, checked and noted as moved": moved.stored_s,
        "the same, and indexed: what pgloader does, like for like": moved.indexed_s,
        "all in, with the sums of eleven tables": moved.wall_s,
    }
    print("\n| until rows are | seconds | rows/s | times pgloader |\n|---|---|---|---|")
    for point, seconds in points.items():
        if seconds is not None:
            print(f"| {point} | {seconds:.1f} | {rows / seconds:,.0f} | {pgloader_s / seconds:.2f} |")


def _print(what: str, used: Measured, server_s: float, rows: int) -> None:
    own, server = used.cpu_s / rows * 1e6, server_s / rows * 1e6
    print(
        f"| {what} | {rows / used.wall_s:,.0f} | {used.wall_s:.1f} | {own:.1f} | {server:.1f} | {used.peak_mib:.0f} |",
        flush=True,
    )


def _print_kinds(kinds: Mapping[str, float], rows: int) -> None:
    told = ", ".join(f"{kind} {seconds / rows * 1e6:.1f}" for kind, seconds in sorted(kinds.items()))
    print(f"\nOf the run, µs a row of the server's clock: {told}")


def _whole(what: str, used: Measured) -> bool:
    if used.status:
        print(f"{what} ended with {used.status}:\n{used.output[-2_000:]}", file=sys.stderr)
    return used.status == 0


if __name__ == "__main__":
    sys.exit(main())
