"""What callers upload: whole, only theirs, unreadable to the database, gone when it is over."""

from __future__ import annotations

import pytest

from servicekit.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded
from services.router.batches.domain.values import Owner, Page
from services.router.tests.batches.kit import ANNA, BORIS, Room
from tools.testing.plugin import MakeDatabase


async def test_a_file_is_read_as_it_was_uploaded(room: Room) -> None:
    """Part by part, with what is known of it."""
    file = await room.file(b"one\n", b"x" * 100_000)

    parts = [await room.files.read_part(ANNA, file.id, number) for number in range(file.parts)]

    assert parts == [b"one\n", b"x" * 100_000]
    assert (file.filename, file.purpose, file.size_bytes) == ("asked.jsonl", "batch", 100_004)


async def test_the_database_cannot_read_a_file(room: Room) -> None:
    """What lies there is sealed, and opens under no other id."""
    await room.file(b"the secret of the camp")

    stored = await room.pool.fetchval("SELECT sealed FROM router.file_parts")

    assert b"camp" not in stored


@pytest.mark.parametrize("other", [BORIS, Owner("anna", application="grant")], ids=["user", "application"])
async def test_nobody_else_finds_a_file(room: Room, other: Owner) -> None:
    """Not another user, and not an application of the same one."""
    file = await room.file()

    with pytest.raises(NotFound):
        await room.files.find(other, file.id)
    with pytest.raises(NotFound):
        await room.files.read_part(other, file.id, 0)
    with pytest.raises(NotFound):
        await room.files.remove(other, file.id)

    assert await room.files.page(other, "", Page("", 10)) == ([], False)


async def test_a_file_may_have_any_name(room: Room) -> None:
    """What cannot be kept of it is shown, what is too long is cut."""
    assert (await room.file(name="Отчёт\0.jsonl")).filename == "Отчёт\ufffd.jsonl"
    assert (await room.file(name="я" * 300)).filename == "я" * 255


async def test_an_upload_is_not_seen_before_it_is_complete(room: Room) -> None:
    """A broken upload is nothing."""
    file_id = await room.files.begin(ANNA, "half.jsonl")
    await room.files.add_part(ANNA, file_id, 0, b"half")

    with pytest.raises(NotFound):
        await room.files.find(ANNA, file_id)


async def test_an_upload_that_broke_off_leaves_room_for_the_next(make_database: MakeDatabase) -> None:
    """Its owner, who sees nothing of it, has all of their room as soon as it is deleted."""
    room = Room(await make_database("router"), owner_mb=1)
    file_id = await room.files.begin(ANNA, "half.jsonl")
    await room.files.add_part(ANNA, file_id, 0, b"x" * 1024 * 1024)

    with pytest.raises(NotFound):
        await room.files.remove(BORIS, file_id)
    await room.files.remove(ANNA, file_id)

    await room.file(b"x" * 1024 * 1024)


async def test_a_part_is_taken_in_its_turn_only(room: Room) -> None:
    """Neither twice nor with a gap."""
    file_id = await room.files.begin(ANNA, "asked.jsonl")
    await room.files.add_part(ANNA, file_id, 0, b"one")

    for number in (0, 2):
        with pytest.raises(Conflict):
            await room.files.add_part(ANNA, file_id, number, b"again")


async def test_a_file_that_is_too_large_is_refused(make_database: MakeDatabase) -> None:
    """The message says how large one may be."""
    room = Room(await make_database("router"), file_mb=1)
    file_id = await room.files.begin(ANNA, "large.jsonl")
    await room.files.add_part(ANNA, file_id, 0, b"x" * 1024 * 1024)

    with pytest.raises(InvalidRequest, match="larger than 1 MB"):
        await room.files.add_part(ANNA, file_id, 1, b"x")


async def test_all_files_of_a_user_have_a_limit(make_database: MakeDatabase) -> None:
    """Another user's do not count."""
    room = Room(await make_database("router"), owner_mb=1)
    await room.file(b"x" * 1024 * 1024)

    with pytest.raises(QuotaExceeded, match="DELETE /v1/files"):
        await room.file(b"xx")

    await room.file(b"xx", owner=BORIS)


async def test_a_list_of_files_has_pages_both_ways(room: Room) -> None:
    """Every file stands on one page."""
    made = []
    for _ in range(5):
        made.append((await room.file()).id)
        room.clock.advance(1)

    first, more = await room.files.page(ANNA, "batch", Page("", 3))
    rest, no_more = await room.files.page(ANNA, "batch", Page(first[-1].id, 3))
    oldest, _ = await room.files.page(ANNA, "", Page(made[1], 2, oldest_first=True))

    assert [file.id for file in (*first, *rest)] == made[::-1]
    assert (more, no_more) == (True, False)
    assert [file.id for file in oldest] == made[2:4]


async def test_files_that_are_over_are_forgotten(room: Room) -> None:
    """With what was in them; broken uploads after an hour."""
    await room.file()
    await room.files.begin(ANNA, "half.jsonl")
    room.clock.advance(31 * 86_400)

    await room.ending.look()

    assert await room.pool.fetchval("SELECT count(*) FROM router.files") == 0
    assert await room.pool.fetchval("SELECT count(*) FROM router.file_parts") == 0
