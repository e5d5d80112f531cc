"""What the router tells of one person's files and batches for the export of their data."""

from __future__ import annotations

import json
from typing import Any

import pytest

from servicekit.errors import InvalidRequest
from services.router.batches.domain.values import Owner
from services.router.personal_data.store import PersonalData
from services.router.tests.batches.kit import ANNA, BORIS, Room

OF_AN_APPLICATION = Owner(ANNA.user_id, "grant-1")


async def told(room: Room, part: str, limit: int = 500) -> list[list[Any]]:
    """Return the pages of a part of Anna's."""
    pages, page = list[list[Any]](), ""
    while True:
        rows, page = await PersonalData(room.pool).page(ANNA.user_id, part, page, limit)
        pages.append([json.loads(row) for row in rows])
        if not page:
            return pages


async def test_files_are_told_whoever_of_theirs_stored_them(room: Room) -> None:
    """Facts, oldest first; nothing of others, and nothing of an upload that is not complete."""
    mine = await room.file(b"{}\n{}\n", name="вопросы.jsonl")
    room.clock.advance(1)
    of_application = await room.file(owner=OF_AN_APPLICATION)
    await room.file(owner=BORIS)
    await room.files.begin(ANNA, "half.jsonl")

    (files,) = await told(room, "files")

    assert [(file["id"], file["application"]) for file in files] == [(mine.id, ""), (of_application.id, "grant-1")]
    assert files[0] == {
        "id": mine.id,
        "application": "",
        "filename": "вопросы.jsonl",
        "purpose": "batch",
        "size_bytes": 6,
        "created_at": files[0]["created_at"],
        "expires_at": files[0]["expires_at"],
    }


async def test_batches_are_told_with_how_far_they_are(room: Room) -> None:
    """Of one that runs its lines are counted; what they ask and answer has a download of its own."""
    mine = await room.started(lines=2)
    line, _ = await room.work.claim_lines("worker", 2)
    await room.answer("worker", line)
    room.clock.advance(1)
    of_application = await room.created(owner=OF_AN_APPLICATION, metadata={"for": "Анна"})
    await room.created(owner=BORIS)

    (batches,) = await told(room, "batches")

    assert [batch["id"] for batch in batches] == [mine.id, of_application.id]
    assert (batches[0]["total"], batches[0]["completed"], batches[0]["failed"]) == (2, 1, 0)
    assert (batches[1]["application"], batches[1]["metadata"]) == ("grant-1", {"for": "Анна"})
    assert "said" not in json.dumps(batches)


@pytest.mark.parametrize("part", ["files", "batches"])
async def test_pages_together_are_the_part(room: Room, part: str) -> None:
    """Each row once, in the order of the whole, though all were made at one moment."""
    for _ in range(5):
        await room.created()
    (whole,) = await told(room, part)

    pages = await told(room, part, limit=2)

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [row for page in pages for row in page] == whole


async def test_an_unknown_part_is_refused(room: Room) -> None:
    """A later gateway may ask for what this release has not: that is no empty part."""
    with pytest.raises(InvalidRequest) as refused:
        await PersonalData(room.pool).page(ANNA.user_id, "secrets", "", 10)

    assert refused.value.param == "part"
