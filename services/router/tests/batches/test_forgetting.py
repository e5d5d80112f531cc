"""What is over goes, whatever there is of it, and one that cannot end keeps nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import asyncpg
import pytest

from servicekit.errors import ServiceError
from servicekit.postgres import MOST_DELETED
from services.router.batches.domain.values import LineError, NewLine
from services.router.batches.store import files as file_store
from services.router.batches.store import lines as line_store
from services.router.batches.store.lines import LineStore
from services.router.tests.batches.kit import ANNA, DAY_S, Room
from tools.testing.bounded_deletes import Admin, admin_of, bound_deletes
from tools.testing.databases import Databases
from tools.testing.plugin import MakeDatabase

WRONG = LineError("invalid_json_line", "This line is no JSON.", "", 2)
REFUSE: Final = """
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not now'; END $$;
CREATE TRIGGER refuse BEFORE DELETE ON router.batch_lines FOR EACH ROW EXECUTE FUNCTION public.refuse()
"""
OLD_BATCHES: Final = """
INSERT INTO router.batches
    (id, owner, application, key_id, endpoint, input_file_id, status, created_at, expires_at, metadata)
SELECT 'batch-' || n, 'anna', '', '', '/v1/chat/completions', '', 'completed', '2025-01-01', '2025-01-02', '{}'
FROM generate_series(1, $1) AS n
"""
OLD_CALLS: Final = """
INSERT INTO router.deferred_calls (id, operation, created_at)
SELECT n::text, 'batch', '2025-01-01' FROM generate_series(1, $1) AS n
"""


@pytest.fixture
async def room(make_database: MakeDatabase) -> Room:
    """Give a room on a database of its own."""
    return Room(await make_database("router"), file_mb=1, owner_mb=1000)


@pytest.fixture
async def admin(room: Room, databases: Databases) -> AsyncIterator[Admin]:
    """Give a connection that may do anything; statements delete so much at most, for each has ten seconds."""
    async with admin_of(room.pool, databases) as connection:
        await bound_deletes(connection, "router.batch_lines", line_store.REMOVED_AT_ONCE)
        await bound_deletes(connection, "router.files", file_store.REMOVED_AT_ONCE)
        yield connection


@pytest.mark.usefixtures("admin")
async def test_a_batch_of_many_lines_ends_in_statements_of_some(room: Room) -> None:
    """Else it was written, and written back, every second for ever: deleting its answers took longer than it may."""
    batch = await room.started(lines=2 * line_store.REMOVED_AT_ONCE + 1)
    room.clock.advance(DAY_S)

    assert await room.ending.look() == 1

    ended = await room.orders.find(ANNA, batch.id)
    assert (ended.status, ended.counts.total) == ("expired", 2 * line_store.REMOVED_AT_ONCE + 1)
    assert await room.pool.fetchval("SELECT count(*) FROM router.batch_lines") == 0


@pytest.mark.usefixtures("admin")
async def test_many_files_that_are_over_go_in_statements_of_some(room: Room) -> None:
    """A router that was away for a month finds all of them at once."""
    for _ in range(2 * file_store.REMOVED_AT_ONCE + 1):
        await room.file()
    room.clock.advance(31 * DAY_S)

    await room.ending.look()

    assert await room.pool.fetchval("SELECT count(*) FROM router.files") == 0


async def test_what_ended_long_ago_goes_in_statements_of_some(room: Room, admin: Admin) -> None:
    """Batches with all that hangs on them, and what providers were asked apart: each statement has ten seconds."""
    await bound_deletes(admin, "router.batches", MOST_DELETED)
    await bound_deletes(admin, "router.deferred_calls", MOST_DELETED)
    await room.pool.execute(OLD_BATCHES, 2 * MOST_DELETED + 1)
    await room.pool.execute(OLD_CALLS, 2 * MOST_DELETED + 1)

    await room.ending.look()

    assert await room.pool.fetchval("SELECT count(*) FROM router.batches") == 0
    assert await room.pool.fetchval("SELECT count(*) FROM router.deferred_calls") == 0


async def test_a_batch_that_cannot_be_ended_keeps_no_other_and_nothing_that_is_over(room: Room) -> None:
    """A part of one of its answers is lost, as after a restore of a damaged table."""
    old = await room.file()
    batches = [await room.started(lines=1) for _ in range(3)]
    for line in await room.work.claim_lines("one", 10):
        await room.answer("one", line)
    await room.pool.execute("UPDATE router.batch_lines SET parts = 1 WHERE batch_id = $1", batches[0].id)
    await room.pool.execute("UPDATE router.files SET expires_at = created_at WHERE id = $1", old.id)

    assert await room.ending.look() == 2

    states = [(await room.orders.find(ANNA, batch.id)).status.value for batch in batches]
    assert states == ["finalizing", "completed", "completed"]
    assert await room.pool.fetchval("SELECT count(*) FROM router.files WHERE id = $1", old.id) == 0


async def test_a_batch_fails_together_with_its_lines(room: Room, admin: Admin) -> None:
    """A router that died between the two left what was asked for a month, counted though nothing of it is there."""
    batch = await room.created()
    assert await room.work.claim_batch("looker") is not None
    await room.work.add_lines("looker", batch.id, [NewLine(1, "one", b"{}")])
    await admin.execute(REFUSE)

    with pytest.raises(asyncpg.RaiseError):
        await room.work.start_batch("looker", batch.id, [WRONG])

    assert (await room.orders.find(ANNA, batch.id)).status == "validating"


async def test_lines_that_come_behind_the_end_of_their_batch_are_not_kept(room: Room) -> None:
    """A worker that stood still had been told a moment before that the batch was its own."""
    batch = await room.created()
    assert await room.work.claim_batch("looker") is not None
    await room.work.start_batch("looker", batch.id, [WRONG])

    with pytest.raises(ServiceError):
        await room.work.add_lines("looker", batch.id, [NewLine(1, "one", b"{}")])
    await LineStore(room.pool).add(batch.id, [(1, "one", b"sealed")])

    assert (await room.orders.find(ANNA, batch.id)).counts.total == 0
