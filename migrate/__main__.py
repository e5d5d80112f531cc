"""`razvilka-migrate inspect --source FILE`: what is in a database of release 1.0.

Exit status: 0 all rows move; 1 some wait for a person, or an address for a decision; 2 the command is wrong; 3 the
source cannot be read.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from migrate.inspection.inspect import inspect_source
from migrate.inspection.text import lines
from migrate.names import names_of
from migrate.rules.times import Reading
from migrate.source.faults import SourceFault
from migrate.source.file import open_source

ALL_MOVE: Final = 0
NEEDS_A_PERSON: Final = 1
NO_SOURCE: Final = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; return the exit status."""
    given = _parser().parse_args(arguments)
    try:
        return _inspect(given)
    except SourceFault as exc:
        if given.json:
            print(json.dumps({"error": {"code": exc.code, "message": str(exc)}}, ensure_ascii=False))
        else:
            print(f"{exc.code}: {exc}", file=sys.stderr)
        return NO_SOURCE


def _inspect(given: argparse.Namespace) -> int:
    reading = Reading(given.naive_zone, datetime.now(UTC))
    with (
        tempfile.TemporaryDirectory(prefix="razvilka-migrate-") as aside,
        open_source(given.source, Path(aside)) as source,
    ):
        found = inspect_source(source, reading, names_of())
    if given.json:
        print(json.dumps(found.as_json(), ensure_ascii=False, indent=2))
    else:
        print(*lines(found), sep="\n")
    return NEEDS_A_PERSON if found.needs_a_person else ALL_MOVE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="razvilka-migrate", description=(__doc__ or "").split("\n", 1)[0])
    verbs = parser.add_subparsers(required=True, metavar="verb")
    inspect = verbs.add_parser("inspect", help="count what is in the source, by what would become of it")
    inspect.add_argument("--source", type=Path, required=True, help="the SQLite file of release 1.0; it may be in use")
    inspect.add_argument("--naive-zone", type=_zone, help="IANA zone of times that say none (Europe/Moscow)")
    inspect.add_argument("--json", action="store_true", help="for programs")
    return parser


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
