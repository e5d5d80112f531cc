"""Several calls at once, at most so many, and the first failure as itself."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def in_parallel(calls: Sequence[Coroutine[Any, Any, T]], at_once: int) -> list[T]:
    """Return the results in the order of `calls`; one failure cancels the rest.

    Raises:
        Exception: the first one that a call raised.
    """
    if len(calls) == 1:
        return [await calls[0]]
    slots = asyncio.Semaphore(at_once)

    async def bounded(call: Coroutine[Any, Any, T]) -> T:
        async with slots:
            return await call

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(bounded(call)) for call in calls]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    finally:
        # A call that waited for its slot when another failed was never begun.
        for call in calls:
            call.close()
    return [task.result() for task in tasks]
