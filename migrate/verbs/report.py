"""report: what became of the rows, from the folder of a report, or how far a source came, from 1.1."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from migrate.moving.run import source_id_of
from migrate.moving.target import open_target
from migrate.report.decisions import to_decide
from migrate.report.reading import read_report
from migrate.report.text import as_json, lines, table_lines
from migrate.verbs.verb import DONE, NEEDS_A_PERSON, Verb, print_json

TABLES: Final = ("users", "api_keys", "provider_status")


def report(given: argparse.Namespace) -> int:
    """Tell what became of the rows of a source."""
    if given.report is None:
        return _how_far(given)
    found = read_report(given.report)
    decisions = to_decide(found, str(given.source))
    if given.json:
        print_json(as_json(found, decisions))
    else:
        print(*lines(found, decisions), sep="\n")
    return NEEDS_A_PERSON if decisions or found.summary is None else DONE


def _how_far(given: argparse.Namespace) -> int:
    """Tell what 1.1 knows of a source whose folder is not here."""
    state = asyncio.run(_state(given.source))
    tables = {name: state[name] for name in TABLES if name in state} | (
        {"usage": state["counts"]} if "counts" in state else {}
    )
    if given.json:
        print_json({"tables": tables})
    elif tables:
        print(*table_lines(tables), sep="\n")
    else:
        print("nothing of this source has moved")
    return DONE


async def _state(source: Path) -> Mapping[str, Any]:
    source_id = source_id_of(source)
    async with open_target(source_id) as target:
        _, state = await target.usage.progress()
    return state


VERB: Final = Verb("report", "tell what became of the rows, and what a person must decide", report)
