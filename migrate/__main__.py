"""`razvilka-migrate`: from a database of release 1.0 to 1.1.

Exit status: 0 all rows moved, or would; 1 some wait for a person, something differs or stays; 2 the command is wrong;
3 the source cannot be read; 4 a database of 1.1 cannot be used, or another run is at work: run it again;
5 the folder of the report cannot be used: it is not the one of the runs before, another command writes there, no room;
130 you ended it by Ctrl-C. Nothing is lost by 4, 5 and 130: the same command goes on where it stood.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from migrate.report.faults import ReportFault
from migrate.report.log import RunLog
from migrate.report.ownership import check_is_report, check_source
from migrate.verbs import cutover, follow, inspect, invite, plan, report, undo, verify, way_back
from migrate.verbs import run as run_verb
from migrate.verbs.faults import AGAIN, FAULTS, fault_of
from migrate.verbs.verb import Verb

# As shells say it of SIGINT.
INTERRUPTED: Final = 130
# In the order in which an operator needs them.
VERBS: Final = (
    inspect.VERB,
    plan.VERB,
    run_verb.VERB,
    follow.VERB,
    cutover.VERB,
    way_back.VERB,
    verify.VERB,
    report.VERB,
    invite.VERB,
    undo.VERB,
)
_SILENT: Final = logging.NullHandler()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; return the exit status."""
    # What drivers say to a log that nobody set up ends on stderr, beside the one line that tells the fault.
    logging.getLogger().addHandler(_SILENT)
    typed = sys.argv[1:] if arguments is None else arguments
    given = _parser().parse_args(typed)
    error = None
    try:
        _check_folder(given)
        given.log = RunLog(given.report)
        given.log.start(given.verb, typed)
        status: int = given.act(given)
    except KeyboardInterrupt:
        status, error = INTERRUPTED, {"code": "interrupted", "message": f"You ended it. {AGAIN}"}
        _say(given, error)
    except FAULTS as exc:
        fault = fault_of(exc)
        status, error = fault.status, fault.as_json()
        _say(given, error)
    _end(given, status, error)
    return status


def _check_folder(given: argparse.Namespace) -> None:
    if given.report is not None:
        check_source(given.report, given.source)
        if not given.writes_report:
            check_is_report(given.report)


def _say(given: argparse.Namespace, error: dict[str, str]) -> None:
    if given.json:
        print(json.dumps({"error": error}, ensure_ascii=False))
    else:
        print(f"{error['code']}: {error['message']}", file=sys.stderr)


def _end(given: argparse.Namespace, status: int, error: dict[str, str] | None) -> None:
    # Where the log itself cannot be written, that was said already.
    with suppress(ReportFault):
        if hasattr(given, "log"):
            given.log.end(status, error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="razvilka-migrate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = parser.add_subparsers(required=True, metavar="verb")
    for verb in VERBS:
        _add(known, verb)
    return parser


def _add(known: Any, verb: Verb) -> None:
    parser: argparse.ArgumentParser = known.add_parser(verb.name, help=verb.text)
    parser.set_defaults(act=verb.act, verb=verb.name, writes_report=verb.needs_report)
    parser.add_argument("--source", type=Path, required=True, help="the SQLite file of release 1.0; it may be in use")
    parser.add_argument("--naive-zone", type=_zone, help="IANA zone of times that say none (Europe/Moscow)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--report", type=Path, required=verb.needs_report, help="folder of the report of this source, and of its log"
    )
    verb.add_arguments(parser)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as exc:
        raise argparse.ArgumentTypeError(f"{name!r} is no IANA time zone, like Europe/Moscow") from exc


def run() -> None:
    """Run as a program."""
    sys.exit(main())


if __name__ == "__main__":
    run()
