"""Logins that are under way while auth is upgraded."""

from __future__ import annotations

import dataclasses
import json

from redis.asyncio import Redis

from services.auth.accounts.cache.pending_logins import PENDING, PendingLogins
from services.auth.accounts.cache.sessions import digest_of
from services.auth.accounts.domain.external_identity import PendingLogin


async def test_what_only_a_later_auth_keeps_of_a_login_is_left_out(redis_client: Redis) -> None:
    """The browser that comes back to an earlier one is logged in all the same."""
    pending = PendingLogin("test", "hash", "nonce", "verifier", "https://rp.example/callback", "/")
    await redis_client.set(PENDING + digest_of("state"), json.dumps({**dataclasses.asdict(pending), "locale": "ru"}))

    assert await PendingLogins(redis_client).take("state") == pending
