"""Table `oauth_signing_keys`."""

from __future__ import annotations

import json
from typing import Final

import asyncpg

from servicekit.postgres import database_errors
from services.auth.oauth.domain.signing_key import StoredKey
from services.auth.shared.store.unit_of_work import Connection, Pool

READ_KEYS: Final = """
SELECT kid, public_jwk, sealed, created_at, signs_from
FROM auth.oauth_signing_keys
ORDER BY signs_from, kid
"""

INSERT_SIGNING_KEY: Final = """
INSERT INTO auth.oauth_signing_keys (kid, public_jwk, sealed, created_at, signs_from)
VALUES ($1, $2, $3, $4, $5)
"""

DELETE_SIGNING_KEYS: Final = """
DELETE FROM auth.oauth_signing_keys
WHERE kid = ANY($1::text[])
"""

# Two replicas that both see that a key is due make one between them.
ONE_AT_A_TIME: Final = """
SELECT pg_advisory_xact_lock(hashtextextended('razvilka.auth.oauth_signing_keys', 0))
"""


async def read_keys_alone(connection: Connection) -> list[StoredKey]:
    """Return all keys in the order in which they sign; no other replica adds one until the transaction ends."""
    await connection.execute(ONE_AT_A_TIME)
    return [_from_row(row) for row in await connection.fetch(READ_KEYS)]


async def insert_key(connection: Connection, key: StoredKey) -> None:
    """Store a new key."""
    public_jwk = json.dumps(key.public_jwk)
    await connection.execute(INSERT_SIGNING_KEY, key.kid, public_jwk, key.sealed, key.created_at, key.signs_from)


class SigningKeyStore:
    """Keys that sign tokens."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(self) -> list[StoredKey]:
        """Return all keys, in the order in which they sign."""
        with database_errors():
            return [_from_row(row) for row in await self._pool.fetch(READ_KEYS)]

    async def delete(self, kids: list[str]) -> None:
        """Delete keys."""
        with database_errors():
            await self._pool.execute(DELETE_SIGNING_KEYS, kids)


def _from_row(row: asyncpg.Record) -> StoredKey:
    kid, public_jwk, sealed, created_at, signs_from = row
    return StoredKey(kid, json.loads(public_jwk), sealed, created_at, signs_from)
