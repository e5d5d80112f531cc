"""`razvilka-migrate`: from a database of release 1.0 to 1.1.

Exit status: 0 all rows moved, or would; 1 some wait for a person, something differs or stays; 2 the command is wrong;
3 the source cannot be read; 4 a database of 1.1 cannot be used, or another run is at work: run it again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from migrate.source.faults import SourceFault
from migrate.verbs import inspect, undo, verify
from migrate.verbs import run as run_verb
from migrate.verbs.verb import Verb
from servicekit.errors import ServiceError
from tools.servers.errors import ServerError

# In the order in which an operator needs them.
VERBS: Final = (inspect.VERB, run_verb.VERB, verify.VERB, undo.VERB)
NO_SOURCE: Final = 3
NO_TARGET: Final = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; return the exit status."""
    given = _parser().parse_args(arguments)
    try:
        status: int = given.act(given)
    except SourceFault as exc:
        return _fault(given, exc.code, str(exc), NO_SOURCE)
    except ServiceError as exc:
        return _fault(given, exc.reason.value.lower(), exc.message, NO_TARGET)
    except ServerError as exc:
        return _fault(given, "no_target", str(exc), NO_TARGET)
    return status


def _fault(given: argparse.Namespace, code: str, message: str, status: int) -> int:
    if given.json:
        print(json.dumps({"error": {"code": code, "message": message}}, ensure_ascii=False))
    else:
        print(f"{code}: {message}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="razvilka-migrate", description=(__doc__ or "").split("\n", 1)[0])
    known = parser.add_subparsers(required=True, metavar="verb")
    for verb in VERBS:
        _add(known, verb)
    return parser


def _add(known: Any, verb: Verb) -> None:
    parser: argparse.ArgumentParser = known.add_parser(verb.name, help=verb.text)
    parser.set_defaults(act=verb.act)
    parser.add_argument("--source", type=Path, required=True, help="the SQLite file of release 1.0; it may be in use")
    parser.add_argument("--naive-zone", type=_zone, help="IANA zone of times that say none (Europe/Moscow)")
    parser.add_argument("--json", action="store_true", help="for programs")
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
