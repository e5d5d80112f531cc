"""inspect: counts what is in the source."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Final

from migrate.inspection.inspect import inspect_source
from migrate.inspection.text import lines
from migrate.moving.seen_ids import opened_ids
from migrate.verbs.verb import DONE, NEEDS_A_PERSON, Verb, opened_order, print_json


def inspect(given: argparse.Namespace) -> int:
    """Count what is in the source."""
    with (
        opened_order(given) as order,
        tempfile.TemporaryDirectory() as folder,
        opened_ids(Path(folder) / "seen.db") as seen,
    ):
        found = inspect_source(order.source, order.reading, order.names, seen)
    if given.json:
        print_json(found.as_json())
    else:
        print(*lines(found, given.naive_zone and given.naive_zone.key), sep="\n")
    return NEEDS_A_PERSON if found.needs_a_person else DONE


VERB: Final = Verb("inspect", "count what is in the source, by what would become of it", inspect)
