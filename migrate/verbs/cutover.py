"""cutover: refuses 1.0's writers, takes the rest over, verifies, and says go or back."""

from __future__ import annotations

import argparse
import asyncio
import sys
from functools import partial
from typing import Final

from migrate.following.cutover import Listener, Verdict, cut_over, reason
from migrate.following.round import Round
from migrate.moving.run import Order
from migrate.moving.target import open_target
from migrate.report.files import ReportFiles
from migrate.verbs.follow import round_line, seconds
from migrate.verbs.progress import marked, progress
from migrate.verbs.verb import DONE, NEEDS_A_PERSON, Verb, opened_order, print_json

WAIT_S: Final = 30.0
# All reasons are in summary.json.
SHOWN: Final = 20


def cutover(given: argparse.Namespace) -> int:
    """Cut over; the exit status is 0 for go and 1 for back."""
    quiet = given.json or not sys.stderr.isatty()
    with (
        opened_order(given, is_held=False) as order,
        ReportFiles(given.report) as report,
        progress(None, quiet=quiet) as shown,
    ):
        listener = Listener(marked(shown, given.log), partial(_before, given), partial(_decided, given))
        verdict = asyncio.run(_cut_over(order, report, given.wait, listener))
    if verdict.is_go and not given.json:
        print("1.0 can write again: it must be stopped now, what it writes from here on is not in 1.1")
    return DONE if verdict.is_go else NEEDS_A_PERSON


async def _cut_over(order: Order, report: ReportFiles, wait_s: float, listener: Listener) -> Verdict:
    async with open_target(order.source_id) as target:
        return await cut_over(order, target, report, wait_s, listener)


def _before(given: argparse.Namespace, taken: Round) -> None:
    if not given.json:
        print(round_line(taken), flush=True)


async def _decided(given: argparse.Namespace, verdict: Verdict) -> None:
    given.log.mark("cutover", **verdict.as_json())
    if given.json:
        print_json(verdict.as_json())
    else:
        _print(verdict)
    if given.hold and verdict.is_go:
        print("1.0 stays locked. Send its callers to 1.1, stop it, then press Enter.", file=sys.stderr, flush=True)
        await asyncio.to_thread(sys.stdin.readline)


def _print(verdict: Verdict) -> None:
    tail = verdict.tail
    print(f"1.0 was locked; the rest: {tail.rows:,} usage rows, {tail.new} new users and keys, {tail.changed} changes")
    for difference in verdict.differences[:SHOWN]:
        print(reason(difference))
    if len(verdict.differences) > SHOWN:
        print(f"and {len(verdict.differences) - SHOWN} more, all in summary.json")
    said = "GO" if verdict.is_go else "BACK, 1.0 goes on"
    print(f"{said}: 1.0 could not write for {verdict.downtime_s:.1f} s; {verdict.waiting} rows wait for a person")
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
