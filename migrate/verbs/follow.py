"""follow: takes over what 1.0 wrote since, again and again."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from functools import partial
from typing import Any, Final

from migrate.following.follow import Listener, Pace
from migrate.following.follow import follow as take_rounds
from migrate.following.round import Round
from migrate.moving.run import source_id_of
from migrate.moving.target import open_target
from migrate.report.files import ReportFiles
from migrate.verbs.progress import marked, progress
from migrate.verbs.run import waits_for_a_person
from migrate.verbs.verb import DONE, NEEDS_A_PERSON, Verb, opened_order

EVERY_S: Final = 5.0


def follow(given: argparse.Namespace) -> int:
    """Follow 1.0 until the rest is small, or until Ctrl-C."""
    told: list[Round] = []
    with (
        ReportFiles(given.report, given.source) as report,
        progress(None, quiet=given.json or not sys.stderr.isatty()) as shown,
    ):
        listener = Listener(marked(shown, given.log), partial(_tell, given, told), partial(_tell_why, given))
        try:
            asyncio.run(_follow(given, report, listener))
        except KeyboardInterrupt:
            print("ended; nothing is lost, the next follow, run or cutover goes on here", file=sys.stderr)
    return NEEDS_A_PERSON if told and waits_for_a_person(told[-1].summary) else DONE


async def _follow(given: argparse.Namespace, report: ReportFiles, listener: Listener) -> None:
    async with open_target(source_id_of(given.source)) as target:
        pace = Pace(given.every, given.until_behind)
        await take_rounds(partial(opened_order, given, is_held=False), target, report, pace, listener)


def _tell(given: argparse.Namespace, told: list[Round], taken: Round) -> None:
    told[:] = [taken]
    given.log.mark("round", **round_json(taken))
    if given.json:
        print(json.dumps(round_json(taken)), flush=True)
    else:
        print(round_line(taken), flush=True)


def _tell_why(given: argparse.Namespace, exc: Exception) -> None:
    given.log.mark("no round", because=str(exc))
    print(f"no round now, trying again: {exc}", file=sys.stderr, flush=True)


def round_line(taken: Round) -> str:
    """Return a round as a line for the operator."""
    return (
        f"{taken.rows:,} usage rows, {taken.new} new users and keys, {taken.changed} changes in {taken.seconds:.1f} s; "
        f"behind by {taken.behind:,} rows"
    )


def round_json(taken: Round) -> dict[str, Any]:
    """Return a round in JSON's types."""
    return {
        "rows": taken.rows,
        "new": taken.new,
        "changed": taken.changed,
        "behind": taken.behind,
        "seconds": round(taken.seconds, 3),
    }


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--every", type=seconds, default=EVERY_S, metavar="S", help="seconds between rounds (5)")
    parser.add_argument(
        "--until-behind", type=rows, metavar="N", help="end when 1.0 wrote no more than N usage rows during a round"
    )


def seconds(text: str) -> float:
    """Read a number of seconds.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to 86400, like 5")
    return found


def rows(text: str) -> int:
    """Read a number of rows.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows, like 1000")
    return int(text)


VERB: Final = Verb(
    "follow",
    "take over what 1.0 wrote, changed and deleted since, again and again; it may go on serving",
    follow,
    _add_arguments,
    needs_report=True,
)
