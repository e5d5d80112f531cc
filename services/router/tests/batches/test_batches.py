"""Lines of batches: each is answered once, whoever vanishes, and ends in one of the two files."""

from __future__ import annotations

import asyncio

import pytest

from servicekit.errors import Conflict, NotFound, QuotaExceeded
from services.router.batches.domain.values import LineError, NewLine, Page, Status
from services.router.batches.ending import BatchEnding
from services.router.batches.sealing import Sealing
from services.router.batches.work import CLAIM_BYTES, BatchWork
from services.router.tests.batches.kit import ANNA, BORIS, DAY_S, Room, numbers
from tools.testing.plugin import MakeDatabase


async def test_a_batch_goes_from_its_file_to_its_results(room: Room) -> None:
    """Answers in one file, failures in the other, in the words of OpenAI."""
    batch = await room.started(lines=3)
    for line in await room.work.claim_lines("one", 10):
        await room.answer("one", line, 200 if line.number < 3 else 404)

    assert await room.ending.look() == 1

    ended = await room.orders.find(ANNA, batch.id)
    assert (ended.status, ended.counts.total, ended.counts.completed, ended.counts.failed) == ("completed", 3, 2, 1)
    assert {"in_progress_at", "finalizing_at", "completed_at"} == set(ended.moments_s)
    answers, failures = await room.written(ended.output_file_id), await room.written(ended.error_file_id)
    assert [line["custom_id"] for line in answers] == ["line-1", "line-2"]
    assert answers[0]["response"] == {"status_code": 200, "request_id": "request-1", "body": {"said": 1}}
    assert answers[0]["error"] is None
    assert [line["response"]["status_code"] for line in failures] == [404]


async def test_nothing_of_the_lines_stays_when_a_batch_has_ended(room: Room) -> None:
    """What was asked lies in the caller's file only."""
    await room.started()
    for line in await room.work.claim_lines("one", 10):
        await room.answer("one", line)

    await room.ending.look()

    assert await room.pool.fetchval("SELECT count(*) FROM router.batch_lines") == 0


async def test_workers_never_have_the_same_line(room: Room) -> None:
    """However they claim beside each other."""
    await room.started(lines=40)

    claimed = await asyncio.gather(*(room.work.claim_lines(f"worker-{n}", 5) for n in range(12)))
    while more := await room.work.claim_lines("last", 5):
        claimed.append(more)

    assert numbers([line for lines in claimed for line in lines]) == list(range(1, 41))


async def test_a_wrong_line_may_hold_what_postgresql_does_not_take(room: Room) -> None:
    """Its error names it all the same: the batch has failed, and is not looked through again and again."""
    batch = await room.created()
    await room.work.claim_batch("looker")

    await room.work.start_batch("looker", batch.id, [LineError("invalid_request", "No \0.", "body.\0", 1)])

    failed = await room.orders.find(ANNA, batch.id)
    assert (failed.status, failed.errors) == (
        Status.FAILED,
        [LineError("invalid_request", "No \ufffd.", "body.\ufffd", 1)],
    )


async def test_another_worker_looks_through_the_file_of_a_dead_one(room: Room) -> None:
    """What is added twice is there once."""
    batch = await room.created()
    await room.work.claim_batch("dead")
    assert await room.work.claim_batch("heir") is None
    room.clock.advance(61)

    found = await room.work.claim_batch("heir")

    assert found is not None
    assert (found.id, found.parts) == (batch.id, 1)
    assert await room.work.read_input("heir", batch.id, 0) == b"{}\n"
    with pytest.raises(Conflict):
        await room.work.start_batch("dead", batch.id, [])


async def test_a_file_that_was_deleted_has_no_parts(room: Room) -> None:
    """Whoever looks through it learns that it is gone."""
    batch = await room.created()
    await room.files.remove(ANNA, batch.input_file_id)

    found = await room.work.claim_batch("looker")

    assert found is not None
    assert found.parts == 0


async def test_two_routers_end_a_batch_once(room: Room) -> None:
    """One of them finds its row locked, or the batch ended."""
    await room.started(lines=1)
    (line,) = await room.work.claim_lines("one", 1)
    await room.answer("one", line)

    ended = await asyncio.gather(*(room.ending.look() for _ in range(4)))

    assert sum(ended) == 1
    assert await room.pool.fetchval("SELECT count(*) FROM router.files WHERE purpose = 'batch_output'") == 1


async def test_batches_are_listed_to_their_owner_only(room: Room) -> None:
    """Newest first, page by page."""
    made = []
    for _ in range(3):
        made.append((await room.created()).id)
        room.clock.advance(1)

    first, more = await room.orders.page(ANNA, Page("", 2))
    rest, _ = await room.orders.page(ANNA, Page(first[-1].id, 2))

    assert [batch.id for batch in (*first, *rest)] == made[::-1]
    assert more
    assert await room.orders.page(BORIS, Page("", 2)) == ([], False)
    with pytest.raises(NotFound):
        await room.orders.cancel(BORIS, made[0])


async def test_a_user_has_so_many_batches_at_once(make_database: MakeDatabase) -> None:
    """More are refused until one has ended."""
    room = Room(await make_database("router"), open_batches=1)
    first = await room.created()

    with pytest.raises(QuotaExceeded):
        await room.created()

    await room.orders.cancel(ANNA, first.id)
    await room.ending.look()
    await room.created()


async def test_what_was_sealed_under_a_key_that_is_gone_fails_and_holds_up_nothing(room: Room) -> None:
    """A line that cannot be read, and an answer that cannot, are failures that say so; the batch ends."""
    batch = await room.started(lines=2)
    (answered,) = await room.work.claim_lines("one", 1)
    await room.answer("one", answered)
    other = Sealing(b"another secret")
    work = BatchWork(room.pool, other, room.settings, room.clock)

    assert await work.claim_lines("two", 10) == []
    assert await BatchEnding(room.pool, other, room.settings, room.clock).look() == 1

    ended = await room.orders.find(ANNA, batch.id)
    assert (ended.status, ended.counts.completed, ended.counts.failed) == ("completed", 0, 2)
