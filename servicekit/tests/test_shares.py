"""Shares: however much one wants, the rest is the others'."""

from __future__ import annotations

import asyncio

import pytest

from servicekit.fairness.shares import Shares, shares_of_pool


async def test_who_has_all_of_theirs_waits_and_others_do_not() -> None:
    """A line for each name."""
    shares, begun, over = Shares(2), list[str](), asyncio.Event()

    async def work(whose: str) -> None:
        async with shares.one_of(whose):
            begun.append(whose)
            await over.wait()

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        for _ in range(5):
            tasks.create_task(work("greedy"))
        tasks.create_task(work("other"))
        while "other" not in begun:
            await asyncio.sleep(0)
        assert begun.count("greedy") == 2
        over.set()

    assert begun.count("greedy") == 5


@pytest.mark.parametrize(("connections", "taken"), [(1, 1), (2, 1), (4, 3), (8, 6)])
async def test_a_crowd_leaves_connections_to_who_has_no_name(connections: int, taken: int) -> None:
    """Two users' halves were all: whoever kept the books or verified a key stood behind them."""
    shares, begun, over = shares_of_pool(connections), list[str](), asyncio.Event()

    async def work(whose: str) -> None:
        async with shares.one_of(whose):
            begun.append(whose)
            await over.wait()

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        for whose in "abcd":
            for _ in range(connections):
                tasks.create_task(work(whose))
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(begun) == taken
        over.set()

    assert len(begun) == 4 * connections


async def test_a_name_that_nobody_uses_is_forgotten() -> None:
    """Also of those who left while they waited: names are other people's to make up."""
    shares, over = Shares(1), asyncio.Event()

    async def work() -> None:
        async with shares.one_of("somebody"):
            await over.wait()

    working, waiting = asyncio.create_task(work()), asyncio.create_task(work())
    await asyncio.sleep(0)
    waiting.cancel()
    over.set()
    await asyncio.wait([working, waiting])

    assert not shares._places
    assert not shares._users
