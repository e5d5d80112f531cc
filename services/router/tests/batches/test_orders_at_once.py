"""Batches that one user begins in several places at the same moment."""

from __future__ import annotations

import asyncio

from servicekit.errors import QuotaExceeded
from services.router.batches.domain.values import NewBatch, Page
from services.router.tests.batches.kit import ANNA, CHAT, DAY_S, Room
from tools.testing.plugin import MakeDatabase

WAITING = """
SELECT count(*)
FROM pg_locks
WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def test_batches_that_are_begun_at_once_are_counted_one_after_the_other(make_database: MakeDatabase) -> None:
    """All of them found the same number before, and were taken."""
    room = Room(await make_database("router"), open_batches=2)
    file = await room.file()
    order = NewBatch(CHAT, file.id, DAY_S, "key", {})

    async with asyncio.timeout(60), room.pool.acquire() as connection:
        async with connection.transaction():
            # Batches are counted, none is written until all four wait for something.
            await connection.execute("LOCK TABLE router.batches IN SHARE MODE")
            begun = [asyncio.create_task(room.orders.create(ANNA, order)) for _ in range(4)]
            while await connection.fetchval(WAITING) < 4:
                await asyncio.sleep(0.01)
        made = await asyncio.gather(*begun, return_exceptions=True)

    assert sum(isinstance(each, QuotaExceeded) for each in made) == 2
    assert len((await room.orders.page(ANNA, Page("", 10)))[0]) == 2
