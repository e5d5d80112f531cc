"""Months of a large source are built apart and take their places while others come in, whatever kills the tool."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest

from migrate.__main__ import main
from migrate.moving import requests as moving
from migrate.source import scan
from migrate.tests.commands import migrate, stored
from migrate.tests.old_database import WHEN, make, requests
from services.usage.importing.imports import Imports

MONTHS: Final = 5
A_MONTH: Final = 100
SUMS: Final = "SELECT sum(requests)::int, sum(cost_micro_rub)::int FROM usage.rollup_day"


class Killed(BaseException):
    """The tool dies: nothing of it goes on."""


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a source of a few hundred rows be a large one."""
    monkeypatch.setattr(scan, "PIECE", 25)
    monkeypatch.setattr(moving, "BATCH", 25)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a source with rows of some months, in their order, each month with one that is repaired."""
    rows = [(*row[:7], f"2025-{number // A_MONTH + 1:02}-03 {number % 24:02}:00:00") for number, row in
            enumerate(requests(MONTHS * A_MONTH))]  # fmt: skip
    rows[::A_MONTH] = [(f"gen-{number}", *row[1:]) for number, row in enumerate(rows[::A_MONTH])]
    return make(tmp_path / "old.db", users=[("user-1", "a@b.ru", WHEN, WHEN)], usage=rows)


def watched(
    told: list[str], kill_at: tuple[int, bool] | None = None, step: str = "attach"
) -> Callable[[Imports, date], Awaitable[None]]:
    """Return a step of months that tells what it does, and is killed before or behind the n-th."""
    act_on = getattr(Imports, step)

    async def act(self: Imports, month: date) -> None:
        told.append(f"{month:%m}")
        is_here = kill_at is not None and len(told) == kill_at[0]
        if is_here and kill_at is not None and kill_at[1]:
            raise Killed
        await act_on(self, month)
        if is_here:
            raise Killed

    return act


def test_months_without_new_rows_get_their_indexes_while_others_come_in(
    dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And sums only when every row is stored and indexed."""
    order: list[Any] = []
    monkeypatch.setattr(Imports, "index", watched(order, step="index"))
    monkeypatch.setattr(Imports, "attach", watched(order))
    put = Imports.put

    async def put_and_tell(self: Imports, batch: Any) -> None:
        await put(self, batch)
        order.extend([None] if batch.builds_apart else [])

    monkeypatch.setattr(Imports, "put", put_and_tell)

    status, summary = migrate("run", "--source", str(old), "--report", str(tmp_path / "report"), capsys=capsys)

    assert (status, summary["tables"]["usage"]["rows"]) == (0, 500)
    months = [each for each in order if each is not None]
    assert sorted(months[:5]) == sorted(months[5:]) == ["01", "02", "03", "04", "05"]
    # January does not wait for the last batch; the last month has to.
    assert order.index("01") < 19 < order.index("05")
    assert migrate("verify", "--source", str(old), capsys=capsys) == (0, [])
    assert asyncio.run(stored(dsns["usage"], SUMS)) == [(500, 500 * 1_500)]


@pytest.mark.parametrize("step", ["index", "attach"])
@pytest.mark.parametrize("kill_at", [(1, True), (2, False), (5, True), (5, False)], ids=str)
def test_a_run_that_is_killed_while_a_month_takes_its_place_goes_on(
    step: str, kill_at: tuple[int, bool], dsns: dict[str, str], old: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """By run, or by follow."""
    run = ["run", "--source", str(old), "--report", str(tmp_path / "report")]
    with monkeypatch.context() as dangerous:
        dangerous.setattr(Imports, step, watched([], kill_at, step))
        with pytest.raises(Killed):
            main([*run, "--json"])

    status, summary = migrate(*run, capsys=capsys)

    assert (status, summary["tables"]["usage"]) == (
        0, {"rows": 500, "as_it_is": 495, "repaired": 5, "quarantined": 0, "cost_micro_rub": 500 * 1_500}
    )  # fmt: skip
    assert migrate("verify", "--source", str(old), capsys=capsys) == (0, [])
    assert asyncio.run(stored(dsns["usage"], SUMS)) == [(500, 500 * 1_500)]
    assert migrate("undo", "--source", str(old), capsys=capsys)[1]["requests"] == 500


def test_who_waits_is_told_what_months_wait_for(
    dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bar is full then, and the run is not at its end; the log has when they waited no more."""
    assert main(["run", "--source", str(old), "--report", str(tmp_path / "report")]) == 0

    told = [line for line in capsys.readouterr().err.splitlines() if "months" in line]
    indexed, summed = "usage: all months have their indexes", "usage: all months have their sums"
    first_sum = told.index("usage: months that wait for sums: 5")
    assert told.index("usage: months that wait for indexes: 1") < told.index(indexed) == first_sum - 1
    assert told[-1] == summed
    log = [json.loads(line) for line in (tmp_path / "report" / "log.jsonl").read_text().splitlines()]
    assert [line["what"] for line in log if line.get("what", "").startswith("usage ")] == [
        "usage indexes",
        "usage sums",
    ]


def test_a_run_that_never_came_to_its_end_can_be_undone(
    dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dangerous:
        dangerous.setattr(Imports, "attach", watched([], (5, True)))
        with pytest.raises(Killed):
            main(["run", "--source", str(old), "--report", str(tmp_path / "report"), "--json"])

    _, differences = migrate("verify", "--source", str(old), capsys=capsys)
    status, taken = migrate("undo", "--source", str(old), capsys=capsys)

    # April may have been at it, too.
    waiting = differences[0]["what"].removeprefix("months that wait for a run to come to its end: ").split(", ")
    assert waiting[-1] == "2025-05"
    assert [each["what"][-10:-3] for each in differences[1:]] == waiting
    assert (status, taken["requests"]) == (0, 500)
    assert asyncio.run(
        stored(dsns["usage"], "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'import\\_%\\_20%'")
    ) == [(0,)]
    assert asyncio.run(stored(dsns["usage"], "SELECT coalesce(sum(requests), 0)::int FROM usage.rollup_day")) == [(0,)]
