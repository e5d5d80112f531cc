"""What 1.1 has: plain SQL by roles that may read all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Stored = Mapping[str, Any]

USERS: Final = "SELECT id, email, tier, created_at, updated_at FROM auth.users"
KEYS: Final = "SELECT id, user_id, key_hash, hash_kind, name, created_at, expires_at, last_used_at FROM auth.api_keys"
# What the source has taken away since is nobody's any more, and keeps its place.
BROUGHT: Final = "SELECT kind, id FROM auth.imported_rows WHERE source_id = %s AND told->'withdrawn' IS NULL"
REQUESTS: Final = """
SELECT id::text, user_id, provider, model, requested_model, tokens_input, tokens_output, cost, metadata, created_at
FROM usage.usage WHERE source = 'imported' AND price_version = 'import:' || %s
"""
OLD_IDS: Final = "SELECT id::text, old_id FROM usage.import_ids WHERE source_id = %s"
# Days whose sums are not those of their rows, whoever made them.
WRONG_SUMS: Final = """
WITH rows AS (
    SELECT user_id, (created_at AT TIME ZONE 'UTC')::date AS day, provider, model, count(*)::bigint AS requests,
           sum(tokens_input)::bigint AS tokens_input, sum(tokens_output)::bigint AS tokens_output, sum(cost) AS cost
    FROM usage.usage GROUP BY 1, 2, 3, 4
), sums AS (
    SELECT user_id, day, provider, model, sum(requests)::bigint AS requests, sum(tokens_input)::bigint AS tokens_input,
           sum(tokens_output)::bigint AS tokens_output, sum(cost_micro_rub) / 1000000.0 AS cost
    FROM usage.rollup_day GROUP BY 1, 2, 3, 4 HAVING sum(requests) <> 0
)
SELECT user_id, day, provider, model FROM rows FULL JOIN sums USING (user_id, day, provider, model)
WHERE (rows.requests, rows.tokens_input, rows.tokens_output, rows.cost)
    IS DISTINCT FROM (sums.requests, sums.tokens_input, sums.tokens_output, sums.cost)
"""


@dataclass(frozen=True, slots=True)
class Target:
    """Rows that the source brought, those that were there without it, and sums that are wrong.

    Attributes:
        low: what PostgreSQL takes addresses for, of those that were asked for.
    """

    users: Mapping[str, Stored]
    keys: Mapping[str, Stored]
    requests: Sequence[Stored]
    old_ids: Mapping[str, str]
    others_users: Mapping[str, Stored]
    others_keys: Mapping[str, Stored]
    wrong_sums: Sequence[Stored]
    low: Mapping[str, str] = field(default_factory=dict)


def read_target(auth: psycopg.Connection[Any], usage: psycopg.Connection[Any], source_id: str) -> Target:
    """Return what both databases have."""
    brought = {(row["kind"], row["id"]) for row in _rows(auth, BROUGHT, source_id)}
    users = {row["id"]: row for row in _rows(auth, USERS)}
    keys = {row["id"]: row for row in _rows(auth, KEYS)}
    return Target(
        users={id_: row for id_, row in users.items() if ("user", id_) in brought},
        keys={id_: row for id_, row in keys.items() if ("key", id_) in brought},
        requests=_rows(usage, REQUESTS, source_id),
        old_ids={row["id"]: row["old_id"] for row in _rows(usage, OLD_IDS, source_id)},
        others_users={id_: row for id_, row in users.items() if ("user", id_) not in brought},
        others_keys={id_: row for id_, row in keys.items() if ("key", id_) not in brought},
        wrong_sums=_rows(usage, WRONG_SUMS),
    )


def lowered(auth: psycopg.Connection[Any], addresses: list[str]) -> dict[str, str]:
    """Return what PostgreSQL takes each address for."""
    found = _rows(auth, "SELECT address, lower(address) AS low FROM unnest(%s::text[]) AS given (address)", addresses)
    return {row["address"]: row["low"] for row in found}


def micros(moment: datetime | None) -> int | None:
    """Return microseconds since 1970."""
    return None if moment is None else (moment - EPOCH) // timedelta(microseconds=1)


def _rows(connection: psycopg.Connection[Any], statement: str, *values: Any) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SELECT set_config('razvilka.user', '*', false)")
        return cursor.execute(statement, values or None).fetchall()
