"""`follow` that is ended, loses its database, or is killed: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from migrate.__main__ import main
from migrate.following.follow import Listener, Pace, follow
from migrate.following.round import Round
from migrate.moving.run import Order, source_id_of
from migrate.moving.target import open_target
from migrate.names import names_of
from migrate.report.files import ReportFiles
from migrate.report.log import LOG
from migrate.rules.times import Reading
from migrate.source.file import open_source
from migrate.tests.commands import lines, migrate
from migrate.tests.following.following_kit import counts, followed, one_more, standing, write
from services.auth.importing.following import Following
from services.usage.importing.imports import Imports
from tools.testing.databases import Databases

FAULT: Final = """
CREATE FUNCTION public.fault() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER fault BEFORE INSERT ON usage.usage FOR EACH ROW EXECUTE FUNCTION public.fault()
"""


def test_ctrl_c_ends_it_cleanly(
    dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report"

    def press() -> None:
        """Wait for the first round, as an operator would."""
        log = report / LOG
        while not any(line.get("what") == "round" for line in (lines(report, log.stem) if log.exists() else [])):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    operator = threading.Thread(target=press)
    # Whoever starts tests in the background has SIGINT ignored in them.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    operator.start()
    status = main(["follow", "--source", str(old), "--report", str(report), "--every", "3600"])
    operator.join()
    signal.signal(signal.SIGINT, before)

    said = capsys.readouterr()
    assert status == 1
    assert said.out == "21 usage rows, 4 new users and keys, 0 changes in " + said.out.split(" in ")[1]
    assert said.err.splitlines()[-1] == "ended; nothing is lost, the next follow, run or cutover goes on here"
    assert lines(report, "log")[-1]["event"] == "end"


async def test_a_database_that_went_away_is_waited_for_after_the_first_round(
    dsns: dict[str, str], databases: Databases, old: Path, tmp_path: Path
) -> None:
    taken: list[Round] = []
    waited: list[str] = []

    def order_of_admin(statement: str) -> None:
        with psycopg.connect(databases.admin_dsn_of(dsns["usage"]), autocommit=True) as admin:
            admin.execute(statement.encode())

    @contextmanager
    def open_order() -> Iterator[Order]:
        reading = Reading(None, datetime.now(UTC))
        with open_source(old, tmp_path / "aside", is_held=False) as source:
            yield Order(source, source_id_of(old), reading, names_of())

    def take(each: Round) -> None:
        taken.append(each)
        if len(taken) == 1:
            # Before there is anything to store: a later round does not wait for the fault.
            order_of_admin(FAULT)
            write(old, one_more("gen-1"))

    def wait(exc: Exception) -> None:
        waited.append(str(exc))
        if len(waited) == 1:
            order_of_admin("DROP TRIGGER fault ON usage.usage")

    listener = Listener(lambda rows: None, take, wait)
    with ReportFiles(tmp_path / "report") as report:
        async with open_target(source_id_of(old)) as target, asyncio.TaskGroup() as group:
            following = group.create_task(follow(open_order, target, report, Pace(0.01, None), listener))
            while not any(each.rows == 1 for each in taken):
                await asyncio.sleep(0.01)
            following.cancel()

    assert waited
    assert sum(each.rows for each in taken) == 22


async def test_a_lock_in_the_middle_of_a_round_is_waited_for(
    dsns: dict[str, str], old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VACUUM of a large file takes longer than a read waits; nobody may be told to undo for it."""
    monkeypatch.setattr("migrate.source.file.BUSY_S", 0.01)
    taken: list[Round] = []
    waited: list[str] = []
    writer = sqlite3.connect(old, isolation_level=None)

    @contextmanager
    def open_order() -> Iterator[Order]:
        reading = Reading(None, datetime.now(UTC))
        with open_source(old, tmp_path / "aside", is_held=False) as source:
            if taken and not waited:
                writer.execute("BEGIN EXCLUSIVE")
            yield Order(source, source_id_of(old), reading, names_of())

    def wait(exc: Exception) -> None:
        waited.append(str(exc))
        writer.execute(one_more("gen-1"))
        writer.execute("COMMIT")

    listener = Listener(lambda rows: None, taken.append, wait)
    with ReportFiles(tmp_path / "report") as report, closing(writer):
        async with open_target(source_id_of(old)) as target, asyncio.TaskGroup() as group:
            following = group.create_task(follow(open_order, target, report, Pace(0.01, None), listener))
            while len(taken) < 2 and not following.done():
                await asyncio.sleep(0.01)
            following.cancel()

    assert waited == [f"{old} is locked by another process: stop its long write."]
    assert sum(each.rows for each in taken) == 22


class Killed(BaseException):
    """The tool dies: nothing of it goes on."""


@pytest.mark.parametrize("place", range(4))
def test_a_killed_round_is_taken_again_as_if_nothing_had_been(
    dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, place: int,
) -> None:  # fmt: skip
    """Before and after what follows in auth, and before and after what is kept of it in usage."""
    report = tmp_path / "report"
    followed(old, report, capsys)
    moved = "UPDATE users SET email = 'c@b.ru ' WHERE id = 'user-1'"
    write(old, one_more("gen-1"), "DELETE FROM api_keys WHERE id = 'key-2'", moved)
    at, name = ((Following, "_unit"), (Imports, "put"))[place // 2]
    whole = getattr(at, name)

    def dying(self: object, *arguments: object) -> Any:
        if place % 2 == 0:
            raise Killed
        return dead_behind(whole(self, *arguments))

    with monkeypatch.context() as dangerous:
        dangerous.setattr(at, name, dying)
        with pytest.raises(Killed):
            followed(old, report, capsys)

    followed(old, report, capsys)

    assert counts(report)["usage"] == (20, 1, 1)
    repairs = {(each["table"], each["field"]) for each in standing(report, "repairs")}
    assert repairs == {("usage", "id"), ("users", "email")}
    changes = {(each["id"], each["field"], each["outcome"]) for each in lines(report, "changes")}
    assert changes == {("key-2", "", "disabled"), ("user-1", "email", "written")}
    assert migrate("verify", "--source", str(old), capsys=capsys) == (0, [])


def dead_behind(done: Any) -> Any:
    """Return what does the same, and is dead behind it."""
    if not hasattr(done, "__aenter__"):

        async def put() -> None:
            await done
            raise Killed

        return put()

    @asynccontextmanager
    async def unit() -> AsyncIterator[Any]:
        async with done as entered:
            yield entered
        raise Killed

    return unit()
