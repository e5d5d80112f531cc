"""What one user asks does not take everybody's connections."""

from __future__ import annotations

import asyncio

import asyncpg
from razvilka.auth.v1 import auth_pb2 as pb

from services.auth.tests.conftest import StartAuth, settings_for
from tools.testing.patience import postgres_settings

POOL = 4
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%auth.users%'
"""


async def test_keys_are_verified_however_many_one_user_makes_at_once(
    start_auth: StartAuth, auth_dsn: str, redis_url: str
) -> None:
    """Changes of an account wait for each other: each had a connection, and whoever showed a key stood behind them."""
    locker, watcher = await asyncpg.connect(auth_dsn), await asyncpg.connect(auth_dsn)
    postgres = postgres_settings(auth_dsn).model_copy(update={"pool_max": POOL})
    async with start_auth(settings_for(auth_dsn, redis_url, postgres=postgres.model_dump())) as auth:
        greedy, other = await auth.new_user("greedy@example.ru"), await auth.new_user("other@example.ru")
        secret = (await auth.new_key(other)).secret
        async with locker.transaction():
            await locker.execute("SELECT id FROM auth.users WHERE id = $1 FOR UPDATE", greedy)
            slow = [asyncio.ensure_future(auth.new_key(greedy, f"key-{number}")) for number in range(2 * POOL)]
            async with asyncio.timeout(60):
                while await watcher.fetchval(WAITING) < POOL // 2:
                    await asyncio.sleep(0.01)

            caller = await auth.verify(secret)
            keys = await auth.call(pb.ListApiKeysRequest(user_id=other))
            assert await watcher.fetchval(WAITING) == POOL // 2
        made = await asyncio.gather(*slow)
    await locker.close()
    await watcher.close()

    assert (caller.user_id, len(keys.keys)) == (other, 1)
    assert len({each.key.id for each in made}) == 2 * POOL
