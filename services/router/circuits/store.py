"""SQL of circuits and drains."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import asyncpg

from services.router.circuits.domain.circuit import State
from services.router.circuits.domain.news import CLOCKS_DIFFER, Cause, Change, Drain
from services.router.circuits.domain.target import Target
from services.router.store import Pool


class CircuitStore:
    """Tables `circuits` and `drains`. Methods raise what is in `servicekit.postgres.UNUSABLE`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    SAVE_CHANGE: Final = """
INSERT INTO router.circuits (provider, credential, model, state, cause, openings, changed_at, until, changed_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (provider, credential, model) DO UPDATE
SET state = excluded.state,
    cause = excluded.cause,
    openings = excluded.openings,
    changed_at = excluded.changed_at,
    until = excluded.until,
    changed_by = excluded.changed_by
WHERE circuits.changed_at < excluded.changed_at OR circuits.changed_at > $10
"""

    async def save_change(self, change: Change, replica: str, now: datetime) -> None:
        """Write that a circuit opened or closed; an older word replaces a newer one only if that is from the future."""
        await self._pool.execute(
            self.SAVE_CHANGE,
            *change.target,
            change.state.value,
            change.cause.value,
            change.openings,
            change.at,
            change.until,
            replica,
            now + CLOCKS_DIFFER,
        )

    FIND_CHANGES: Final = """
SELECT provider, credential, model, state, cause, openings, changed_at, until
FROM router.circuits
WHERE cause = ANY($1::text[])
"""

    async def find_changes(self) -> list[Change]:
        """Return the last change of each circuit, but for those whose cause only a newer release knows."""
        return [_change(row) for row in await self._pool.fetch(self.FIND_CHANGES, list(Cause))]

    SAVE_DRAIN: Final = """
INSERT INTO router.drains (provider, credential, model, reason, drained_by, drained_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (provider, credential, model) DO UPDATE
SET reason = excluded.reason,
    drained_by = excluded.drained_by,
    drained_at = excluded.drained_at
"""

    async def save_drain(self, drain: Drain) -> None:
        """Write an order."""
        await self._pool.execute(self.SAVE_DRAIN, *drain.scope, drain.reason, drain.by, drain.at)

    DELETE_DRAIN: Final = """
DELETE FROM router.drains
WHERE provider = $1 AND credential = $2 AND model = $3
RETURNING provider
"""

    async def delete_drain(self, scope: Target) -> bool:
        """Take an order back; tell whether there was one of exactly this scope."""
        return await self._pool.fetchval(self.DELETE_DRAIN, *scope) is not None

    FIND_DRAINS: Final = """
SELECT provider, credential, model, reason, drained_by, drained_at
FROM router.drains
ORDER BY provider, credential, model
"""

    async def find_drains(self) -> list[Drain]:
        """Return the orders that count."""
        rows = await self._pool.fetch(self.FIND_DRAINS)
        return [Drain(_target(row), row["reason"], row["drained_by"], row["drained_at"]) for row in rows]


def _target(row: asyncpg.Record) -> Target:
    return Target(row["provider"], row["credential"], row["model"])


def _change(row: asyncpg.Record) -> Change:
    return Change(
        _target(row), State(row["state"]), Cause(row["cause"]), row["changed_at"], row["until"], row["openings"]
    )
