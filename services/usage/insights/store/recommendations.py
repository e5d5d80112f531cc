"""The table of recommendations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec

from servicekit.postgres import sql
from services.usage.insights.domain.advice import Recommendation, Scope, Spent, State, recommendation_id
from services.usage.insights.domain.finding import Found, Pattern, Saving
from services.usage.store.connection import Connection

_encode: Final = msgspec.json.Encoder().encode
_PATTERNS: Final = frozenset(Pattern)

# What is accepted keeps the saving that was promised; what was dismissed stays so.
ADVISE: Final = """
    INSERT INTO usage.recommendations AS stored (
        id, user_id, kind, subject, texts, evidence, query, saving_min_micro_rub, saving_max_micro_rub, confidence,
        first_seen, last_seen
    )
    VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7::jsonb, $8, $9, $10, $11, $11)
    ON CONFLICT (user_id, kind, subject) DO UPDATE
    SET texts = excluded.texts,
        evidence = excluded.evidence,
        query = excluded.query,
        saving_min_micro_rub = excluded.saving_min_micro_rub,
        saving_max_micro_rub = excluded.saving_max_micro_rub,
        confidence = excluded.confidence,
        last_seen = excluded.last_seen
    WHERE stored.state = 'new'
"""


async def advise(connection: Connection, user_id: str, findings: Sequence[Found], now: datetime) -> None:
    """Keep advice, new or again."""
    await connection.executemany(ADVISE, [_values(user_id, finding, now) for finding in findings])


def _values(user_id: str, finding: Found, now: datetime) -> tuple[object, ...]:
    saving = finding.saving
    assert saving is not None  # only what has one is advised
    documents = [_encode(each).decode() for each in (finding.texts, finding.evidence, finding.query)]
    return (
        recommendation_id(user_id, finding),
        user_id,
        finding.pattern.value,
        finding.subject,
        *documents,
        saving.min_micro_rub,
        saving.max_micro_rub,
        saving.confidence,
        now,
    )


_COLUMNS: Final = """
    id::text, kind, subject, texts::text, evidence::text, query::text, saving_min_micro_rub, saving_max_micro_rub,
    confidence, first_seen, last_seen, state, reason, decided_at, realised_micro_rub, realised_at
"""

# New advice that the last analyses did not repeat has become untrue; what was decided on stays.
READ: Final = sql(
    """
    SELECT {columns}
    FROM usage.recommendations
    WHERE user_id = $1
        AND state = ANY($2::text[])
        AND (state <> 'new' OR last_seen >= $3)
    ORDER BY first_seen, id
    """,
    columns=_COLUMNS,
)


async def read(
    connection: Connection, user_id: str, states: Sequence[State], seen_since: datetime
) -> list[Recommendation]:
    """Return the advice in these states, of the new ones those that were found since a moment."""
    rows = await connection.fetch(READ, user_id, [state.value for state in states], seen_since)
    return _recommendations(rows)


LOCK: Final = sql(
    """
    SELECT {columns}
    FROM usage.recommendations
    WHERE id = $1
        AND user_id = $2
    FOR UPDATE
    """,
    columns=_COLUMNS,
)


async def lock(connection: Connection, user_id: str, recommendation: str) -> Recommendation | None:
    """Lock and return one piece of advice to this user."""
    return next(iter(_recommendations(await connection.fetch(LOCK, recommendation, user_id))), None)


DECIDE: Final = """
    UPDATE usage.recommendations
    SET state = $2, reason = $3, decided_at = $4
    WHERE id = $1
"""


async def decide(connection: Connection, recommendation: str, state: State, reason: str, now: datetime) -> None:
    """Keep what the user decided."""
    await connection.execute(DECIDE, recommendation, state.value, reason, now)


FIND_DUE: Final = sql(
    """
    SELECT {columns}
    FROM usage.recommendations
    WHERE user_id = $1
        AND state = 'accepted'
        AND realised_micro_rub IS NULL
        AND decided_at <= $2
    FOR UPDATE
    """,
    columns=_COLUMNS,
)


async def find_due(connection: Connection, user_id: str, decided_before: datetime) -> list[Recommendation]:
    """Lock and return accepted advice whose saving is to be measured."""
    return _recommendations(await connection.fetch(FIND_DUE, user_id, decided_before))


MEASURE: Final = """
    SELECT count(*) AS requests, (coalesce(sum(cost), 0) * 1000000)::bigint AS cost_micro_rub
    FROM usage.usage
    WHERE user_id = $1
        AND created_at >= $2
        AND created_at < $3
        AND status = 'completed'
        AND (cardinality($4::text[]) = 0 OR model = ANY($4))
"""


async def measure(connection: Connection, user_id: str, scope: Scope, since: datetime, until: datetime) -> Spent:
    """Return what the requests of a scope cost in a span."""
    row = await connection.fetchrow(MEASURE, user_id, since, until, list(scope.models))
    assert row is not None  # an aggregate without GROUP BY has one row
    return Spent(*row.values())


REALISE: Final = """
    UPDATE usage.recommendations
    SET state = 'done', realised_micro_rub = $2, realised_at = $3
    WHERE id = $1
"""


async def realise(connection: Connection, recommendation: str, micro_rub: int, now: datetime) -> None:
    """Keep what following the advice has saved."""
    await connection.execute(REALISE, recommendation, micro_rub, now)


def _recommendations(rows: Iterable[asyncpg.Record]) -> list[Recommendation]:
    """Return the advice of rows; what only a newer release knows to advise is left to it."""
    return [_recommendation(row) for row in rows if row["kind"] in _PATTERNS]


def _recommendation(row: asyncpg.Record) -> Recommendation:
    value: dict[str, Any] = dict(row)
    texts, evidence, query = (msgspec.json.decode(value[name]) for name in ("texts", "evidence", "query"))
    saving = Saving(value["saving_min_micro_rub"], value["saving_max_micro_rub"], value["confidence"])
    return Recommendation(
        value["id"],
        Found(Pattern(value["kind"]), value["subject"], texts, evidence, query, saving),
        value["first_seen"],
        value["last_seen"],
        State(value["state"]),
        value["reason"],
        value["decided_at"],
        value["realised_micro_rub"],
        value["realised_at"],
    )
