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


async def test_another_worker_goes_on_with_what_a_dead_one_had(room: Room) -> None:
    """After the lease, once; the dead one, should it come back, has nothing to say."""
    await room.started(lines=1)
    (lost,) = await room.work.claim_lines("dead", 10)
    assert await room.work.claim_lines("heir", 10) == []
    room.clock.advance(61)

    (found,) = await room.work.claim_lines("heir", 10)

    assert (found.number, found.body, found.attempt) == (lost.number, lost.body, 2)
    with pytest.raises(Conflict):
        await room.answer("dead", lost)
    await room.answer("heir", found)


async def test_leases_of_a_clock_that_was_ahead_end_as_others_do(room: Room) -> None:
    """A batch stood still for as long as it had been ahead; also one whose lines were kept by it."""
    await room.started(lines=1)
    await room.pool.execute("UPDATE router.batch_lines SET until = until + interval '1 day'")
    assert await room.work.claim_lines("dead", 10)
    await room.pool.execute("UPDATE router.batch_lines SET until = until + interval '1 day'")

    await room.ending.look()
    cut = await room.work.claim_lines("heir", 10)
    room.clock.advance(61)

    assert cut == []
    assert len(await room.work.claim_lines("heir", 10)) == 1


async def test_a_worker_that_says_so_keeps_its_lines(room: Room) -> None:
    """A long answer outlives the lease."""
    await room.started(lines=1)
    (line,) = await room.work.claim_lines("slow", 10)
    for _ in range(5):
        room.clock.advance(50)
        await room.work.renew("slow")

    assert await room.work.claim_lines("other", 10) == []
    await room.answer("slow", line)


async def test_a_line_that_is_given_back_comes_later(room: Room) -> None:
    """One that was not tried does not count as an attempt."""
    await room.started(lines=1)
    (line,) = await room.work.claim_lines("one", 10)
    await room.work.release("one", line.batch_id, line.number, 30.0, was_tried=False)
    assert await room.work.claim_lines("one", 10) == []
    room.clock.advance(31)

    (again,) = await room.work.claim_lines("one", 10)

    assert again.attempt == 1


async def test_a_large_batch_does_not_keep_a_small_one_waiting(room: Room) -> None:
    """Each gives its share of a claim."""
    await room.started(lines=100)
    small = await room.started(lines=1, owner=BORIS)

    claimed = await room.work.claim_lines("one", 10)

    assert small.id in {line.batch_id for line in claimed}


async def test_what_is_claimed_at_once_has_room_in_one_message(room: Room) -> None:
    """Lines with pictures weigh megabytes; the next claim goes on, and one that is heavier than all goes alone."""
    batch = await room.created()
    assert await room.work.claim_batch("looker") is not None
    sizes = [CLAIM_BYTES // 3] * 4 + [CLAIM_BYTES + 1, 1]
    for number, size in enumerate(sizes, start=1):
        await room.work.add_lines("looker", batch.id, [NewLine(number, f"line-{number}", b"x" * size)])
    await room.work.start_batch("looker", batch.id, [])

    claims = [[len(line.body) for line in await room.work.claim_lines("one", 32)] for _ in range(6)]

    assert sorted(size for claim in claims for size in claim) == sorted(sizes)
    assert all(sum(claim) <= CLAIM_BYTES or len(claim) == 1 for claim in claims), claims


async def test_cancelling_begins_nothing_more_and_finishes_what_runs(room: Room) -> None:
    """What was not begun is named in the error file."""
    batch = await room.started(lines=3)
    (running,) = await room.work.claim_lines("one", 1)

    cancelling = await room.orders.cancel(ANNA, batch.id)

    assert cancelling.status is Status.CANCELLING
    assert await room.work.claim_lines("two", 10) == []
    assert await room.ending.look() == 0
    await room.answer("one", running)
    assert await room.ending.look() == 1
    ended = await room.orders.find(ANNA, batch.id)
    assert (ended.status, ended.counts.completed) == ("cancelled", 1)
    assert [line["custom_id"] for line in await room.written(ended.output_file_id)] == ["line-1"]
    codes = [line["error"]["code"] for line in await room.written(ended.error_file_id)]
    assert codes == ["batch_cancelled", "batch_cancelled"]
    with pytest.raises(Conflict):
        await room.orders.cancel(ANNA, batch.id)


async def test_a_line_that_had_begun_is_finished_for_a_worker_that_died_while_it_was_cancelled(room: Room) -> None:
    """It may have been billed: its answer belongs to the caller."""
    batch = await room.started(lines=2)
    await room.work.claim_lines("dead", 1)
    await room.orders.cancel(ANNA, batch.id)
    room.clock.advance(61)

    assert numbers(await room.work.claim_lines("heir", 10)) == [1]


async def test_a_batch_ends_when_its_time_is_over(room: Room) -> None:
    """Lines that were never asked say so."""
    batch = await room.started(lines=2)
    (line,) = await room.work.claim_lines("one", 1)
    await room.answer("one", line)
    room.clock.advance(DAY_S + 1)

    assert await room.work.claim_lines("one", 10) == []
    assert await room.ending.look() == 1

    ended = await room.orders.find(ANNA, batch.id)
    assert (ended.status, ended.counts.total, ended.counts.completed) == ("expired", 2, 1)
    assert [line["error"]["code"] for line in await room.written(ended.error_file_id)] == ["batch_expired"]


async def test_a_batch_with_wrong_lines_fails_and_names_them(room: Room) -> None:
    """Nothing of it is ever claimed."""
    batch = await room.created()
    await room.work.claim_batch("looker")
    error = LineError("invalid_json_line", "This line is no JSON.", "", 2)

    await room.work.start_batch("looker", batch.id, [error])

    failed = await room.orders.find(ANNA, batch.id)
    assert (failed.status, failed.errors) == ("failed", [error])
    assert await room.work.claim_lines("one", 10) == []
    assert await room.ending.look() == 0


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
