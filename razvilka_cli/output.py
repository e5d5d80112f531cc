"""What people and programs read: tables on a terminal, plain lines elsewhere, JSON where it is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from razvilka_cli.errors import Failure, Status

# What is no terminal has no width: nothing is cut off there.
ENDLESS: Final = 1_000_000
NOTHING: Final = "–"


class _Console(Console):
    """A console that lets the program say what a reader's end means."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(*, err: bool = False) -> Console:
    """Return the terminal, or whatever stands for it; NO_COLOR is heard."""
    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() else ENDLESS
    return _Console(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "", right: Iterable[str] = ()
) -> None:
    """Print a table; `right` are the columns of figures. A table without rows says so."""
    table = Table(box=box.SIMPLE_HEAD, title=Text(title) if title else None, title_justify="left")
    figures = set(right)
    for name in columns:
        table.add_column(Text(name), justify="right" if name in figures else "left", overflow="fold")
    for row in rows:
        table.add_row(*[Text(shown(value)) for value in row])
    out = console()
    out.print(table if table.row_count else Text(f"{title}: nothing." if title else "Nothing."))


def show_facts(facts: Iterable[tuple[str, Any]]) -> None:
    """Print names and values, a line each."""
    grid = Table(box=None, show_header=False, pad_edge=False)
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts:
        grid.add_row(Text(name), Text(shown(value)))
    console().print(grid)


def note(text: str) -> None:
    """Tell people something that is no result: it goes to the standard error."""
    click.echo(harmless(text), err=True)


def shown(value: Any) -> str:
    """Return a value as people read it, on one line."""
    if value is None or value == "" or value == []:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(shown(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}={shown(each)}" for name, each in value.items())
    return harmless(str(value)).replace("\n", " ")


def harmless(text: str) -> str:
    """Return a text that moves no cursor and paints nothing, whoever wrote it."""
    return "".join(each for each in text if each in "\n\t" or not _is_control(each))


def _is_control(each: str) -> bool:
    code = ord(each)
    # C0, DEL and C1; and what turns the direction of a line around.
    return code < 32 or 127 <= code < 160 or 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write; it gets its name once the block has ended, so that what has the name is whole.

    Raises:
        Failure: it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as exc:
        raise Failure(f"{path} cannot be written: {exc.strerror}.", Status.USAGE, code="output") from exc
    finally:
        part.unlink(missing_ok=True)
