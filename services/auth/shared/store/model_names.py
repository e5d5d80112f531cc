"""Table `model_names`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from servicekit.postgres import database_errors
from services.auth.shared.store.unit_of_work import Connection, Pool

# What stands for all that a user has, in place of a line of keys.
ALL: Final = ""

FIND_NAMES: Final = """
SELECT lineage_id, names
FROM auth.model_names
WHERE user_id = $1 AND lineage_id IN ('', $2)
"""

# Of a key that works; its line keeps the names when it is rotated.
FIND_LINE: Final = """
SELECT lineage_id
FROM auth.api_keys
WHERE id = $2 AND user_id = $1 AND revoked_at IS NULL
"""

SAVE_NAMES: Final = """
INSERT INTO auth.model_names (user_id, lineage_id, names, updated_at)
VALUES ($1, $2, $3::jsonb, $4)
ON CONFLICT (user_id, lineage_id) DO UPDATE
SET names = excluded.names, updated_at = excluded.updated_at
"""


class ModelNameStore:
    """Names of models, read."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, user_id: str, lineage_id: str = ALL) -> tuple[dict[str, str], dict[str, str]]:
        """Return the names of all that a user has, and those of one line of keys."""
        with database_errors():
            rows = await self._pool.fetch(FIND_NAMES, user_id, lineage_id)
        found = {row["lineage_id"]: json.loads(row["names"]) for row in rows}
        return found.get(ALL, {}), found.get(lineage_id, {}) if lineage_id else {}

    async def line_of(self, user_id: str, key_id: str) -> str | None:
        """Return the line of a user's key; None: the user has no such key."""
        with database_errors():
            line: str | None = await self._pool.fetchval(FIND_LINE, user_id, key_id)
        return line


async def save_names(
    connection: Connection, user_id: str, lineage_id: str, names: Mapping[str, str], at: datetime
) -> None:
    """Store what replaces the names before."""
    await connection.execute(SAVE_NAMES, user_id, lineage_id, json.dumps(dict(names)), at)
