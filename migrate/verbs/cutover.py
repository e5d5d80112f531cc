"""cutover: refuses 1.0's writers, takes the rest over, verifies, and says go or back."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from migrate.following.cutover import Verdict, check_is_the_file_itself, decide, reason
from migrate.following.round import take_round
from migrate.moving.requests import Shown
from migrate.moving.run import Order
from migrate.moving.target import Target, open_target
from migrate.report.files import ReportFiles
from migrate.source.lock import refuse_writers
from migrate.verbs.follow import round_line, seconds
from migrate.verbs.progress import marked, progress
from migrate.verbs.verb import DONE, NEEDS_A_PERSON, Verb, opened_order, print_json

T = TypeVar("T")
WAIT_S: Final = 30.0
# All reasons are in summary.json.
SHOWN: Final = 20


def cutover(given: argparse.Namespace) -> int:
    """Cut over; the exit status is 0 for go and 1 for back."""
    quiet = given.json or not sys.stderr.isatty()
    # The source stays open: closing a descriptor of the file would drop the lock.
    with (
        opened_order(given, is_held=False) as order,
        ReportFiles(given.report, given.source) as report,
        progress(None, quiet=quiet) as bar,
    ):
        check_is_the_file_itself(order)
        shown = marked(bar, given.log)
        before = asyncio.run(_on_target(take_round, order, report, shown))
        if not given.json:
            print(round_line(before), flush=True)
        with _released_at_last(), refuse_writers(order.source.path, given.wait):
            verdict = asyncio.run(_on_target(decide, order, report, shown))
            _tell(given, verdict)
    return DONE if verdict.is_go else NEEDS_A_PERSON


async def _on_target(
    act: Callable[[Order, Target, ReportFiles, Shown], Awaitable[T]], order: Order, report: ReportFiles, shown: Shown
) -> T:
    async with open_target(order.source_id) as target:
        return await act(order, target, report, shown)


@contextmanager
def _released_at_last() -> Iterator[None]:
    """Say, however it ends, that 1.0 can write."""
    try:
        yield
    finally:
        print(
            "1.0 can write again; what it writes from here on is not in 1.1 unless you follow it",
            file=sys.stderr,
            flush=True,
        )


def _tell(given: argparse.Namespace, verdict: Verdict) -> None:
    given.log.mark("cutover", **verdict.as_json())
    if given.json:
        print_json(verdict.as_json())
    else:
        _print(verdict)
    if given.hold and verdict.is_go:
        print("1.0 stays locked. Send its callers to 1.1, stop it, then press Enter.", file=sys.stderr, flush=True)
        sys.stdin.readline()


def _print(verdict: Verdict) -> None:
    tail = verdict.tail
    print(f"1.0 was locked; the rest: {tail.rows:,} usage rows, {tail.new} new users and keys, {tail.changed} changes")
    for difference in verdict.differences[:SHOWN]:
        print(reason(difference))
    if len(verdict.differences) > SHOWN:
        print(f"and {len(verdict.differences) - SHOWN} more, all in summary.json")
    said = "GO" if verdict.is_go else "BACK, 1.0 goes on"
    waiting = f"{verdict.waiting} rows wait for a person: see report"
    print(f"{said}: 1.0 could not write for {verdict.downtime_s:.1f} s; {waiting}")
    sys.stdout.flush()


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--hold", action="store_true", help="after a go keep 1.0 from writing until you press Enter (or stdin ends)"
    )
    parser.add_argument(
        "--wait", type=seconds, default=WAIT_S, metavar="S", help="seconds to wait for a write of 1.0 to end (30)"
    )


VERB: Final = Verb(
    "cutover",
    "keep 1.0 from writing, take the rest over, verify, and say go (0) or back (1)",
    cutover,
    _add_arguments,
    needs_report=True,
)
