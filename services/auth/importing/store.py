"""SQL of imports: every statement is idempotent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from asyncpg import Record

from services.auth.importing.field_merge import told_of
from services.auth.importing.records import Arrival, ImportedAccount, ImportedKey, KeptKey
from services.auth.shared.domain.tier import Tier
from services.auth.shared.store.unit_of_work import Connection

BEGIN: Final = "INSERT INTO auth.imports (source_id) VALUES ($1) ON CONFLICT DO NOTHING"

# A conflict may be by the id or by the address; which one is asked afterwards.
INSERT_ACCOUNTS: Final = """
WITH given AS (
    SELECT * FROM unnest(
        $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::text[], $8::text[]
    ) AS account (id, email, tier, created_at, updated_at, source_row, told)
), inserted AS (
    INSERT INTO auth.users (id, email, tier, created_at, updated_at)
    SELECT id, email, tier, created_at, updated_at FROM given
    ON CONFLICT DO NOTHING
    RETURNING id
)
INSERT INTO auth.imported_rows (source_id, kind, id, source_row, told)
SELECT $1, 'user', id, source_row, told::jsonb FROM given JOIN inserted USING (id)
RETURNING id
"""

ACCOUNTS_THERE: Final = """
SELECT id, CASE
    WHEN EXISTS (SELECT FROM auth.imported_rows AS r WHERE (r.kind, r.id, r.source_id) = ('user', given.id, $1))
        THEN 'there_before'
    WHEN EXISTS (SELECT FROM auth.users AS u WHERE u.id = given.id) THEN 'id_taken'
    ELSE 'address_taken'
END AS arrival
FROM unnest($2::text[]) AS given (id)
"""

INSERT_KEYS: Final = """
WITH given AS (
    SELECT * FROM unnest(
        $2::text[], $3::text[], $4::text[], $5::text[],
        $6::timestamptz[], $7::timestamptz[], $8::timestamptz[], $9::text[], $10::text[]
    ) AS key (id, user_id, key_hash, name, created_at, expires_at, last_used_at, source_row, told)
), inserted AS (
    INSERT INTO auth.api_keys (id, user_id, key_hash, hash_kind, name, created_at, expires_at, last_used_at)
    SELECT id, user_id, key_hash, 'sha256', name, created_at, expires_at, last_used_at
    FROM given WHERE EXISTS (SELECT FROM auth.users AS u WHERE u.id = given.user_id)
    ON CONFLICT DO NOTHING
    RETURNING id
)
INSERT INTO auth.imported_rows (source_id, kind, id, source_row, told)
SELECT $1, 'key', id, source_row, told::jsonb FROM given JOIN inserted USING (id)
RETURNING id
"""

KEYS_THERE: Final = """
SELECT id, CASE
    WHEN EXISTS (SELECT FROM auth.imported_rows AS r WHERE (r.kind, r.id, r.source_id) = ('key', given.id, $1))
        THEN 'there_before'
    WHEN EXISTS (SELECT FROM auth.api_keys AS k WHERE k.id = given.id) THEN 'id_taken'
    WHEN EXISTS (SELECT FROM auth.users AS u WHERE u.id = given.user_id) THEN 'hash_taken'
    ELSE 'no_owner'
END AS arrival
FROM unnest($2::text[], $3::text[]) AS given (id, user_id)
"""

ADDRESSES: Final = """
SELECT u.id, u.email FROM auth.users AS u JOIN auth.imported_rows AS r ON r.kind = 'user' AND r.id = u.id
WHERE r.source_id = $1 AND u.id = ANY($2::text[])
"""
KEPT_KEYS: Final = """
SELECT k.id, k.user_id, k.key_hash, k.hash_kind, k.expires_at
FROM auth.api_keys AS k JOIN auth.imported_rows AS r ON r.kind = 'key' AND r.id = k.id
WHERE r.source_id = $1 AND r.told->'withdrawn' IS NULL
"""

# People compare addresses by their Unicode form too; the database's own rule of case says what cannot be there twice.
# A source's own rows that are here already are not another's.
ALIKE: Final = """
WITH given AS (
    SELECT * FROM unnest($2::text[], $3::text[]) AS account (id, email)
), other AS (
    SELECT u.id, u.email, true AS is_here FROM auth.users AS u
    WHERE NOT EXISTS (
        SELECT FROM auth.imported_rows AS r WHERE (r.kind, r.id, r.source_id) = ('user', u.id, $1)
    )
    UNION ALL
    SELECT id, email, false FROM given
)
SELECT g.id, o.id AS other, o.is_here FROM given AS g JOIN other AS o ON lower(o.email) = lower(g.email)
WHERE o.is_here OR o.id <> g.id
UNION
SELECT g.id, o.id, o.is_here FROM given AS g
JOIN other AS o ON lower(normalize(btrim(o.email), NFKC)) = lower(normalize(btrim(g.email), NFKC))
WHERE o.is_here OR o.id <> g.id
ORDER BY 1, 2
"""

# Rows of other sources, or created here; from an id on.
RESIDENTS: Final = """
SELECT u.id, u.email, u.tier, u.created_at, u.updated_at FROM auth.users AS u
WHERE u.id > $2 AND NOT EXISTS (
    SELECT FROM auth.imported_rows AS r WHERE (r.kind, r.id, r.source_id) = ('user', u.id, $1)
)
ORDER BY u.id LIMIT $3
"""
RESIDENT_KEYS: Final = """
SELECT k.id, k.user_id, k.key_hash, k.name, k.created_at, k.expires_at, k.last_used_at FROM auth.api_keys AS k
WHERE k.id > $2 AND NOT EXISTS (
    SELECT FROM auth.imported_rows AS r WHERE (r.kind, r.id, r.source_id) = ('key', k.id, $1)
)
ORDER BY k.id LIMIT $3
"""


async def begin(connection: Connection, source_id: str) -> None:
    """Note the source."""
    await connection.execute(BEGIN, source_id)


async def insert_accounts(
    connection: Connection, source_id: str, accounts: Sequence[ImportedAccount]
) -> dict[str, Arrival]:
    """Insert accounts; return what became of each, by id."""
    rows = [(a.id, a.email, a.tier, a.created_at, a.updated_at, a.source_row, _told(a)) for a in accounts]
    inserted = await connection.fetch(INSERT_ACCOUNTS, source_id, *zip(*rows, strict=True))
    rest = [account.id for account in accounts if account.id not in {row["id"] for row in inserted}]
    there = await connection.fetch(ACCOUNTS_THERE, source_id, rest)
    return _arrivals(inserted, there)


async def insert_keys(connection: Connection, source_id: str, keys: Sequence[ImportedKey]) -> dict[str, Arrival]:
    """Insert keys; return what became of each, by id."""
    rows = [
        (k.id, k.user_id, k.key_hash, k.name, k.created_at, k.expires_at, k.last_used_at, k.source_row, _told(k))
        for k in keys
    ]
    inserted = await connection.fetch(INSERT_KEYS, source_id, *zip(*rows, strict=True))
    arrived = {row["id"] for row in inserted}
    rest = [(key.id, key.user_id) for key in keys if key.id not in arrived]
    there = await connection.fetch(KEYS_THERE, source_id, [id_ for id_, _ in rest], [owner for _, owner in rest])
    return _arrivals(inserted, there)


async def addresses(connection: Connection, source_id: str, ids: Sequence[str]) -> dict[str, str]:
    """Return the addresses of accounts that a source brought, by id."""
    return {row["id"]: row["email"] for row in await connection.fetch(ADDRESSES, source_id, ids)}


async def alike(connection: Connection, source_id: str, addresses: Mapping[str, str]) -> list[tuple[str, str, bool]]:
    """Return pairs of accounts with one address: one of those given by id, another one, and whether it is here."""
    rows = await connection.fetch(ALIKE, source_id, list(addresses), list(addresses.values()))
    return [(row["id"], row["other"], row["is_here"]) for row in rows]


async def residents(connection: Connection, source_id: str, after: str, limit: int) -> list[ImportedAccount]:
    """Return accounts that a source did not bring, behind an id."""
    rows = await connection.fetch(RESIDENTS, source_id, after, limit)
    return [ImportedAccount(**{**row, "tier": Tier(row["tier"])}, source_row=row["id"]) for row in rows]


async def resident_keys(connection: Connection, source_id: str, after: str, limit: int) -> list[ImportedKey]:
    """Return keys that a source did not bring, behind an id."""
    rows = await connection.fetch(RESIDENT_KEYS, source_id, after, limit)
    return [ImportedKey(**row, source_row=row["id"]) for row in rows]


async def kept_keys(connection: Connection, source_id: str) -> dict[str, KeptKey]:
    """Return by id the keys that a source brought, are still here, and were not withdrawn by it since."""
    rows = await connection.fetch(KEPT_KEYS, source_id)
    return {row["id"]: KeptKey(row["user_id"], row["key_hash"], row["hash_kind"], row["expires_at"]) for row in rows}


def _arrivals(inserted: Sequence[Record], there: Sequence[Record]) -> dict[str, Arrival]:
    found = {row["id"]: Arrival.INSERTED for row in inserted}
    return {**found, **{row["id"]: Arrival(row["arrival"]) for row in there}}


def _told(record: ImportedAccount | ImportedKey) -> str:
    return json.dumps(told_of(record))
