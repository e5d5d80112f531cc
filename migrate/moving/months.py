"""MonthsApart: months that are built apart get their indexes, while rows of others come in or at the end; then sums."""

from __future__ import annotations

from asyncio import Task, TaskGroup
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from enum import Enum
from typing import Final, TypeAlias

from servicekit.errors import ErrorReason, Unavailable
from services.usage.importing.imports import Batch, Imports
from services.usage.store import Collision

# How often something is tried that live traffic gets in the way of.
TRIES: Final = 5
# Batches without a row of a month, after which the source has probably no more of it.
QUIET: Final = 2
# Behind the last row the server has nothing else to do.
AT_ONCE: Final = 2


class Stage(Enum):
    """What months wait for behind the last row."""

    INDEXES = "indexes"
    SUMS = "sums"


MonthsLeft: TypeAlias = Callable[[Stage, int], None]
"""Is told how many months wait for what; none: all have it."""


def tell_nobody(stage: Stage, months: int) -> None:
    """Tell nobody."""
    del stage, months


class MonthsApart:
    """Gives months their indexes, one at a time while batches are put; behind the last row, to several the rest.

    Only when every row is stored and indexed months are summed and take their places.
    """

    def __init__(self, imports: Imports, group: TaskGroup, left: MonthsLeft) -> None:
        """`left` is told what months wait for, behind the last row."""
        self._imports = imports
        self._left = left
        self._group = group
        self._task: Task[None] | None = None
        self._month: date | None = None
        self._quiet: dict[date, int] = {}
        self._indexed: set[date] = set()

    async def put(self, batch: Batch) -> None:
        """Put a batch; where one of its months is about to get its indexes, wait for that.

        Raises:
            Unavailable, Conflict: as `persistently`, and `Imports.put`.
        """
        if self._task is not None and self._month in batch.rows:
            await self._task
        await persistently(lambda: self._imports.put(batch))
        await self._begin_with_one(batch)

    async def _begin_with_one(self, batch: Batch) -> None:
        months = await self._imports.months_apart() - self._indexed - {self._month}
        self._quiet = {month: 0 if month in batch.rows else self._quiet.get(month, 0) + 1 for month in months}
        if self._task is not None and not self._task.done():
            return
        self._month = min((month for month, batches in self._quiet.items() if batches >= QUIET), default=None)
        self._task = None if self._month is None else self._group.create_task(self._index(self._month))

    async def attach_rest(self) -> None:
        """Have all take their places.

        Raises:
            Unavailable, Conflict: as `Imports.attach`; those that have taken their places keep them.
        """
        if self._task is not None:
            await self._task
        months = sorted(await self._imports.months_apart())
        if months:
            await self._take(Stage.INDEXES, [month for month in months if month not in self._indexed], self._index)
            await self._take(Stage.SUMS, months, self._attach)

    async def _take(self, stage: Stage, months: Sequence[date], act: Callable[[date], Awaitable[None]]) -> None:
        """Act on each month, on several at once."""
        rest = list(reversed(months))

        async def take_some() -> None:
            while rest:
                self._left(stage, len(rest))
                await act(rest.pop())

        async with TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(take_some())
        self._left(stage, 0)

    async def _index(self, month: date) -> None:
        await persistently(lambda: self._imports.index(month))
        self._indexed.add(month)

    async def _attach(self, month: date) -> None:
        await persistently(lambda: self._imports.attach(month))


async def persistently(act: Callable[[], Awaitable[None]]) -> None:
    """Do something, past live traffic that gets in its way.

    Raises:
        Unavailable: it was in the way again and again.
    """
    for left in reversed(range(TRIES)):
        try:
            return await act()
        except Collision as exc:
            if not left:
                raise Unavailable(
                    ErrorReason.DATABASE_ERROR, "Live traffic is in the way of a batch. Run it again."
                ) from exc
    return None
