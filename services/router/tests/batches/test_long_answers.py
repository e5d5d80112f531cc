"""Answers that one message does not hold: vectors of thousands of texts."""

from __future__ import annotations

import json

import pytest

from servicekit.errors import Conflict, NotFound
from services.router.batches.files import MEGABYTE
from services.router.batches.store.lines import LineStore
from services.router.tests.batches.kit import ANNA, SEALING, Room


async def test_an_answer_in_parts_is_one_line_of_the_file(room: Room) -> None:
    """The file's own parts stay small, however long a line is: each is read in one message."""
    batch = await room.started(lines=2)
    first, second = await room.work.claim_lines("one", 10)
    long = json.dumps({"data": ["я" * 1_000_000, "x" * 2_500_000]}, ensure_ascii=False).encode()
    await room.end("one", first, long[:1_500_001], long[1_500_001:4_000_000], long[4_000_000:])
    await room.answer("one", second)

    await room.ending.look()

    ended = await room.orders.find(ANNA, batch.id)
    file = await room.files.find(ANNA, ended.output_file_id)
    sizes = [len(await room.files.read_part(ANNA, file.id, number)) for number in range(file.parts)]
    answers = await room.written(file.id)
    assert max(sizes) == MEGABYTE
    assert sum(sizes) == file.size_bytes
    assert [answer["response"]["body"] for answer in answers] == [json.loads(long), {"said": 2}]
    assert await room.pool.fetchval("SELECT count(*) FROM router.batch_answer_parts") == 0


async def test_parts_of_a_worker_that_vanished_are_in_no_answer(room: Room) -> None:
    """Who goes on with the line writes its own, of which there may be fewer."""
    batch = await room.started(lines=1)
    (line,) = await room.work.claim_lines("one", 1)
    for part, content in enumerate((b'{"a":', b'"old', b'er"')):
        await room.work.add_answer_part("one", line.batch_id, line.number, part, content)
    room.clock.advance(room.settings.lease_s + 1)
    (again,) = await room.work.claim_lines("two", 1)

    with pytest.raises(Conflict):
        await room.work.add_answer_part("one", line.batch_id, line.number, 3, b"}")
    await room.end("two", again, b'{"a": "new', b'er"}')
    await room.ending.look()

    ended = await room.orders.find(ANNA, batch.id)
    (answer,) = await room.written(ended.output_file_id)
    assert answer["response"]["body"] == {"a": "newer"}


async def test_a_router_that_knows_no_parts_does_not_take_the_end_of_an_answer_for_the_whole(room: Room) -> None:
    """Beside a new one, or on the way back: it opens what stands in the line, and writes that into the file."""
    batch = await room.started(lines=2)
    long, short = await room.work.claim_lines("one", 2)
    await room.end("one", long, b'{"a": "begun, ', b'ended"}')
    await room.end("one", short, b'{"a": "whole"}')

    lines = "SELECT sealed FROM router.batch_lines ORDER BY number"
    sealed = [row["sealed"] for row in await room.pool.fetch(lines)]

    with pytest.raises(NotFound):
        SEALING.open(batch.id, long.number, sealed[0])
    assert SEALING.open(batch.id, short.number, sealed[1]) == b'{"a": "whole"}'


async def test_long_answers_are_read_a_few_at_a_time(room: Room) -> None:
    """Whatever two hundred of them weigh, a router holds no more than there is room for, and one at least."""
    batch = await room.started(lines=4)
    for line in await room.work.claim_lines("one", 10):
        await room.end("one", line, b"[%s]" % (b"1" * 1000 * line.number))

    async def read(after: int, most_bytes: int) -> list[int]:
        rows = await room.pool.fetch(LineStore.READ_LINES, batch.id, after, 200, most_bytes)
        return [row["number"] for row in rows]

    assert [await read(0, 3200), await read(0, 3000), await read(2, 10), await read(4, 10)] == [[1, 2], [1], [3], []]
