"""Accounts for tests of what hangs on them, without registration."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import asyncpg

from services.auth.accounts.domain.new_account import NewAccount
from services.auth.accounts.store.accounts import insert_account
from services.auth.shared.domain.tier import Tier

MADE_AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


async def plant_user(dsn: str, email: str = "anna@example.ru", tier: Tier = Tier.FREE) -> str:
    """Store an account without a password; return its id."""
    account = NewAccount(str(uuid.uuid4()), email, "", "ru", password_hash=None, tier=tier)
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool, pool.acquire() as connection:
        assert await insert_account(connection, account, MADE_AT)
    return account.id
