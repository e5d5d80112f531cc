"""Verb: what the command line must know of a verb, and what all of them share."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from migrate.fates.merging import Decision
from migrate.moving.owners import Ask
from migrate.moving.run import Order, source_id_of
from migrate.names import names_of
from migrate.rules.times import Reading
from migrate.source.file import open_source
from migrate.source.scan import count_rows
from migrate.source.tables import read_layout
from migrate.verbs.progress import tell_months_left

DONE: Final = 0
NEEDS_A_PERSON: Final = 1
T = TypeVar("T")


def checked(read: Callable[[str], T]) -> Callable[[str], T]:
    """Return a reader whose errors say more than that the value is invalid."""

    def checked(text: str) -> T:
        try:
            return read(text)
        except ValueError as exc:
            raise argparse.ArgumentTypeError(str(exc)) from exc

    return checked


def no_more_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing to what every verb takes."""
    del parser


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb.

    Attributes:
        name: as it is typed.
        text: what it does, for --help.
        act: does it; returns the exit status.
        add_arguments: those that not every verb takes.
        needs_report: whether it writes to a report, whose folder must be named. The others log there what they were
            asked if it is named, and then it must be there: a folder that is made for a slip of the pen helps nobody.
    """

    name: str
    text: str
    act: Callable[[argparse.Namespace], int]
    add_arguments: Callable[[argparse.ArgumentParser], None] = no_more_arguments
    needs_report: bool = False


@contextmanager
def opened_order(
    given: argparse.Namespace, decisions: Sequence[Decision] = (), ask: Ask | None = None, *, is_held: bool = True
) -> Iterator[Order]:
    """Yield what the command line asks for, the source open; held: in the state of one moment.

    Raises:
        SourceFault: it cannot be read.
    """
    reading = Reading(given.naive_zone, datetime.now(UTC))
    with (
        tempfile.TemporaryDirectory(prefix="razvilka-migrate-") as aside,
        open_source(given.source, Path(aside), is_held=is_held) as source,
    ):
        tell = partial(tell_months_left, quiet=given.json, log=given.log)
        yield Order(source, source_id_of(given.source), reading, names_of(), decisions, ask, tell)


def rows_of_usage(order: Order) -> int | None:
    """Return how many usage rows the source has; None: nobody can tell."""
    return count_rows(order.source.database, read_layout(order.source.database).tables["usage"])


def print_json(content: Any) -> None:
    """Answer a program."""
    print(json.dumps(content, ensure_ascii=False, indent=2))
