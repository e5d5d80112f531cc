"""Whoever asks for a token in the name of all replicas never keeps them waiting when it leaves."""

from __future__ import annotations

import asyncio

import pytest

from servicekit.testing import FakeClock
from services.router.providers.transport.access_token import AccessToken, SharedToken
from services.router.tests.adapters import MemoryShare


async def test_a_caller_who_leaves_while_it_asks_for_the_lock_gives_it_back(clock: FakeClock) -> None:
    """Redis had said yes: every replica waited five seconds for a token that nobody was getting."""

    class Slow(MemoryShare):
        is_asked = asyncio.Event()

        async def lock(self, key: str, owner: str, ttl_s: float) -> bool | None:
            await super().lock(key, owner, ttl_s)
            self.is_asked.set()
            return await asyncio.Event().wait()

    async def issue() -> AccessToken:
        return AccessToken("token", clock.now().timestamp() + 1000)

    share = Slow()
    asking = asyncio.create_task(SharedToken(issue, share, clock, provider="gigachat", secret="x").fetch(None))
    await share.is_asked.wait()

    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert share.locks == {}
