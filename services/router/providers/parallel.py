"""Runs calls concurrently up to a limit; the first failure is raised, optionally with the other calls' results."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from servicekit.errors import ServiceError

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


async def keep_answers(kept: dict[int, T], calls: Mapping[int, Coroutine[Any, Any, T]], at_once: int) -> None:
    """Keep the answer of each call by its number.

    After a failure nothing new is begun, but what is under way is finished: the provider bills it, so it must be known.

    Raises:
        ServiceError: the first failure; what was answered is kept all the same.
    """
    failed: list[ServiceError] = []

    async def ask(number: int, call: Coroutine[Any, Any, T]) -> None:
        if failed:
            return
        try:
            kept[number] = await call
        except ServiceError as exc:
            failed.append(exc)

    try:
        await in_parallel([ask(number, call) for number, call in calls.items()], at_once)
    finally:
        for call in calls.values():
            call.close()
    if failed:
        raise failed[0]
