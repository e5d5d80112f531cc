"""Whether the database is usable."""

from __future__ import annotations

from typing import Final

import asyncpg

from servicekit.postgres import UNUSABLE

# Fails while the migrations have not run, or the role may not read.
PROBE: Final = """
SELECT k.id, k.pepper_id, u.tier, u.session_epoch
FROM auth.api_keys AS k
JOIN auth.users AS u ON u.id = k.user_id
LIMIT 0
"""


async def is_migrated(pool: asyncpg.Pool[asyncpg.Record]) -> bool:
    """Tell whether PostgreSQL answers within a second and has our tables."""
    try:
        await pool.execute(PROBE, timeout=1.0)
    except UNUSABLE:
        return False
    return True
