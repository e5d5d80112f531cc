"""What a report needs on disk while it is made is gone afterwards, however that ends."""

from __future__ import annotations

import sys
from asyncio import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.usage.reports import generation as made_by
from services.usage.reports.domain.order import Format, Kind
from services.usage.reports.domain.report import Status
from services.usage.reports.scratch import scratch_folder
from services.usage.tests.reports.histories import history, order, store_history

LARGE = [Format.XLSX, Format.PARQUET]
# Holds a folder until it is killed.
HOLDER = """
import asyncio, pathlib, sys
from services.usage.reports.scratch import scratch_folder

async def hold():
    async with scratch_folder(sys.argv[1]) as folder:
        (pathlib.Path(folder) / "rows").write_text("x")
        print("held", flush=True)
        await asyncio.Event().wait()

asyncio.run(hold())
"""


def left_in(folder: Path) -> Sequence[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("format", LARGE)
async def test_a_report_that_is_deleted_while_it_is_made_leaves_no_file(
    make_room, store, tmp_path, monkeypatch, format
):
    """A workbook left its rows, a gigabyte of a million, each time."""
    await store_history(store, history(30))
    monkeypatch.setattr(made_by, "BATCH", 10)
    room = make_room(at_once_rows=0)
    report = await room.reports.order(order(format, Kind.REQUESTS))
    renew = room.upkeep._performance._store.renew

    async def deleted_meanwhile(*args):
        await room.reports.delete("user-1", report.id)
        return await renew(*args)

    monkeypatch.setattr(room.upkeep._performance._store, "renew", deleted_meanwhile)

    await room.upkeep.round()

    assert left_in(tmp_path) == []


@pytest.mark.parametrize("format", LARGE)
async def test_a_report_that_is_made_leaves_no_file(make_room, store, tmp_path, format):
    """Its content is in the database."""
    await store_history(store, history(30))

    report = await make_room().reports.order(order(format, Kind.REQUESTS))

    assert report.status is Status.DONE
    assert left_in(tmp_path) == []


async def test_what_a_killed_instance_left_is_removed_by_the_next_report(tmp_path):
    """In a volume it would stay for ever; what another instance still uses is left alone."""
    command = (sys.executable, "-c", HOLDER, str(tmp_path))
    killed, alive = [await subprocess.create_subprocess_exec(*command, stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for each in (killed, alive):
            assert each.stdout is not None
            assert await each.stdout.readline() == b"held\n"
        killed.kill()
        await killed.wait()
        assert len(left_in(tmp_path)) == 2

        async with scratch_folder(str(tmp_path)):
            assert len(left_in(tmp_path)) == 2

        assert len(left_in(tmp_path)) == 1
    finally:
        alive.kill()
        await alive.wait()
