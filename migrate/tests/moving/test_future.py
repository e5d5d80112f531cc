"""Rows of a clock that was ahead: they wait, and still wait when their time has come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from migrate.moving.run import Order, move, source_id_of
from migrate.moving.seen_ids import opened_ids
from migrate.moving.target import open_target
from migrate.moving.verification import Difference, verify
from migrate.names import names_of
from migrate.report.files import ReportFiles
from migrate.retrying.edits import read_edits
from migrate.retrying.retry import retry
from migrate.rules.times import Reading
from migrate.source.file import open_source
from migrate.tests.commands import lines
from migrate.tests.old_database import WHEN, make, requests

NOW: Final = datetime(2026, 3, 4, 12, tzinfo=UTC)
LATER: Final = NOW + timedelta(days=3)
AHEAD: Final = "2026-03-06 12:00:00"


@contextmanager
def order_at(path: Path, now: datetime) -> Iterator[Order]:
    """Yield the order of a command that is given at a moment."""
    with open_source(path, path.with_name("aside")) as source:
        yield Order(source, source_id_of(path), Reading(None, now), names_of())


async def run_at(path: Path, report: Path, now: datetime, mended: Path | None = None) -> None:
    """Move what has not moved yet; of rows that wait those in a file, if there is one."""
    with order_at(path, now) as order, ReportFiles(report) as files:
        async with open_target(order.source_id) as target:
            if mended is None:
                await move(order, target, files, lambda rows: None)
            else:
                await retry(order, read_edits(mended), target, files, lambda rows: None)


async def differences_at(path: Path, report: Path, now: datetime) -> list[Difference]:
    """Verify."""
    with order_at(path, now) as order, opened_ids(path.with_name("verify.db")) as seen:
        async with open_target(order.source_id) as target:
            return await verify(order, target, seen, report)


@pytest.mark.usefixtures("dsns")
async def test_a_row_that_was_of_the_future_is_no_difference_once_its_time_has_come(tmp_path: Path) -> None:
    """Until a person brings it back: then it has moved, on both sides."""
    ahead = ("ahead", "user-1", "gigachat", "GigaChat", 1, 2, 0.5, AHEAD)
    old = make(tmp_path / "old.db", users=[("user-1", "a@b.ru", WHEN, WHEN)], usage=[*requests(3), ahead])
    report = tmp_path / "report"

    await run_at(old, report, NOW)
    at_once, later = [await differences_at(old, report, now) for now in (NOW, LATER)]
    await run_at(old, report, LATER)
    (line,) = lines(report, "quarantine")
    (tmp_path / "mended").write_text(json.dumps(line))
    await run_at(old, report, LATER, tmp_path / "mended")

    assert (at_once, later, line["reason"]) == ([], [], "time_in_the_future")
    assert lines(report, "quarantine")[-1]["superseded"]
    assert await differences_at(old, report, LATER) == []
