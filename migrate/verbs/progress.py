"""progress: how many rows have a fate, how fast, and how long it will take, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from migrate.moving.months import Stage
from migrate.report.log import RunLog

Shown = Callable[[int], None]
# Where nobody looks at a terminal, a line each time that so many per cent are done.
STEP: Final = 5


class _Rate(ProgressColumn):
    """Rows a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} rows/s")


@contextmanager
def progress(total: int | None, *, quiet: bool) -> Iterator[Shown]:
    """Yield what is told how many rows are done; a run that goes on begins with those done before.

    Args:
        total: rows; None: nobody knows.
        quiet: show nothing.
    """
    if quiet:
        yield lambda rows: None
    elif sys.stderr.isatty():
        with _bar(total) as bar:
            yield _Bar(bar, total)
    else:
        yield _Lines(total)


def marked(shown: Shown, log: RunLog) -> Shown:
    """Return what tells the log, too."""

    def show(rows: int) -> None:
        shown(rows)
        log.rows(rows)

    return show


def tell_months_left(stage: Stage, months: int, *, quiet: bool, log: RunLog) -> None:
    """Say that a full bar is not the end: each month that waits takes a while; the log has when none does any more."""
    if not months:
        log.mark(f"usage {stage.value}")
    if not quiet:
        said = f"months that wait for {stage.value}: {months}" if months else f"all months have their {stage.value}"
        print(f"usage: {said}", file=sys.stderr, flush=True)


def _bar(total: int | None) -> Progress:
    share = TextColumn("{task.completed:,.0f}" + (" rows" if total is None else f" of {total:,} rows"))
    columns = (TextColumn("{task.description}"), BarColumn(), share, _Rate(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


class _Bar:
    def __init__(self, bar: Progress, total: int | None) -> None:
        self._bar = bar
        self._task = bar.add_task("usage", total=total)
        self._is_first = True

    def __call__(self, rows: int) -> None:
        if self._is_first:
            self._bar.reset(self._task, completed=rows)
            self._is_first = False
        self._bar.update(self._task, completed=rows)


class _Lines:
    def __init__(self, total: int | None) -> None:
        self._total = total
        self._began_at: tuple[float, int] | None = None
        self._step = -1

    def __call__(self, rows: int) -> None:
        now = time.monotonic()
        self._began_at = self._began_at or (now, rows)
        began_at, before = self._began_at
        step = 100 * rows // self._total // STEP if self._total else rows // 1_000_000
        if step > self._step:
            self._step = step
            # Nobody knows how fast the rows came that were done when it was first told.
            rate = (rows - before) / (now - began_at) if now > began_at and rows > before else 0.0
            print(f"usage: {rows:,}{self._rest(rows, rate)}", file=sys.stderr, flush=True)

    def _rest(self, rows: int, rate: float) -> str:
        fast = f", {rate:,.0f} rows/s" if rate else ""
        if self._total is None:
            return f" rows{fast}"
        left = f", {max(0, self._total - rows) / rate / 60:,.1f} min left" if rate else ""
        return f" of {self._total:,} rows{fast}{left}"
