"""What applications put here ends with them, and nothing else does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from servicekit.errors import InvalidRequest, NotFound, QuotaExceeded
from services.router.batches.domain.values import NewLine, Owner, Page
from services.router.batches.store import files as file_store
from services.router.tests.batches.kit import ANNA, Room
from tools.testing.bounded_deletes import Admin, admin_of, bound_deletes
from tools.testing.databases import Databases
from tools.testing.plugin import MakeDatabase

OVER, LIVE = Owner("anna", "grant-over"), Owner("anna", "grant-live")


@pytest.fixture
async def room(make_database: MakeDatabase) -> Room:
    """Give a room in which an owner has a megabyte and two open batches."""
    return Room(await make_database("router"), file_mb=1, owner_mb=1, open_batches=2)


@pytest.fixture
async def admin(room: Room, databases: Databases) -> AsyncIterator[Admin]:
    """Give a connection that may do anything; statements delete so many files at most."""
    async with admin_of(room.pool, databases) as connection:
        await bound_deletes(connection, "router.files", file_store.REMOVED_AT_ONCE)
        yield connection


async def test_applications_that_have_something_are_listed_once_each(room: Room) -> None:
    """By pages; what somebody's own keys have is no application's."""
    await room.file(owner=ANNA)
    for name in ("b", "a", "c"):
        await room.file(owner=Owner("anna", name))
    await room.created(Owner("boris", "b"))
    await room.pool.execute("DELETE FROM router.files WHERE application = 'c'")
    await room.created(Owner("boris", "d"))
    await room.pool.execute("DELETE FROM router.files WHERE application = 'd'")

    assert await room.applications.page("", 2) == ["a", "b"]
    assert await room.applications.page("b", 2) == ["d"]
    assert await room.applications.page("d", 2) == []


@pytest.mark.usefixtures("admin")
async def test_files_of_an_ended_application_take_no_room_of_its_users(room: Room) -> None:
    """Nobody could delete them any more, and they counted for a month."""
    left = [(each, (await room.file(owner=each)).id) for each in (ANNA, LIVE)]
    for _ in range(file_store.REMOVED_AT_ONCE + 6):
        await room.file(owner=OVER)
    with pytest.raises(QuotaExceeded):
        await room.file()

    await room.applications.end(["grant-over", "grant-unknown", ""])

    assert [(each, (await room.files.find(each, id)).id) for each, id in left] == left
    assert await room.files.page(OVER, "", Page("", 1)) == ([], False)
    await room.file()


async def test_batches_of_an_ended_application_begin_nothing_more(room: Room) -> None:
    """What runs is finished, for a provider has it; then the batch goes, with what was written of it."""
    over = await room.started(lines=3, owner=OVER)
    [running] = await room.work.claim_lines("worker", 1)
    await room.created()
    with pytest.raises(QuotaExceeded):
        await room.created()

    await room.applications.end(["grant-over"])

    assert await room.work.claim_lines("worker", 10) == []
    assert (await room.orders.find(OVER, over.id)).status == "cancelling"
    await room.answer("worker", running)
    await room.ending.look()
    assert (await room.orders.find(OVER, over.id)).status == "cancelled"
    await room.created()
    await room.applications.end(["grant-over"])
    with pytest.raises(NotFound):
        await room.orders.find(OVER, over.id)
    assert await room.pool.fetchval("SELECT count(*) FROM router.files WHERE application <> ''") == 0


async def test_batches_of_others_go_on(room: Room) -> None:
    """Those of the same person's keys and of another application of theirs, too."""
    others = [await room.started(owner=each) for each in (ANNA, LIVE)]

    await room.applications.end(["grant-over", ""])

    found = [await room.orders.find(batch.owner, batch.id) for batch in others]
    assert [batch.status for batch in found] == ["in_progress", "in_progress"]


async def test_more_than_a_statement_takes_are_refused(room: Room) -> None:
    """Whoever has more says it again."""
    with pytest.raises(InvalidRequest):
        await room.applications.end([str(n) for n in range(501)])


async def test_a_line_tells_with_whose_rights_it_was_ordered(room: Room) -> None:
    """An application that was let in again is known here by the first of its grants, which may be over."""
    batch = await room.created(LIVE, key_id="", token_grant="grant-again")
    assert await room.work.claim_batch("looker") is not None
    await room.work.add_lines("looker", batch.id, [NewLine(1, "line-1", b"{}")])
    await room.work.start_batch("looker", batch.id, [])

    [line] = await room.work.claim_lines("worker", 1)

    assert (line.owner, line.key_id, line.token_grant) == (LIVE, "", "grant-again")
