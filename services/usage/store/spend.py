"""Reads spending: whole days from the rollup, parts of days from rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from services.usage.domain.spend import Span, Spend, Subject
from services.usage.store.connection import Connection

# One statement sees one snapshot: a row and its rollup become visible together.
SUM_SPEND: Final = """
    SELECT
        coalesce(sum(cost_micro_rub), 0)::bigint AS cost_micro_rub,
        coalesce(sum(requests), 0)::bigint AS requests,
        coalesce(sum(tokens_input), 0)::bigint AS tokens_input,
        coalesce(sum(tokens_output), 0)::bigint AS tokens_output
    FROM (
        SELECT cost_micro_rub, requests, tokens_input, tokens_output
        FROM usage.rollup_day
        WHERE user_id = $1
            AND ($2::text = '' OR key_id = $2)
            AND ($3::text = '' OR grant_id = $3)
            AND (NOT $10::boolean OR (key_id = '' AND grant_id = ''))
            AND day >= $4
            AND day < $7
        UNION ALL
        SELECT (cost * 1000000)::bigint, 1, tokens_input, tokens_output
        FROM usage.usage
        WHERE user_id = $1
            AND ($2::text = '' OR key_id = $2)
            AND ($3::text = '' OR grant_id = $3)
            AND (NOT $10::boolean OR (key_id = '' AND grant_id = ''))
            AND created_at >= $5
            AND created_at < $6
        UNION ALL
        SELECT (-cost * 1000000)::bigint, -1, -tokens_input, -tokens_output
        FROM usage.usage
        WHERE user_id = $1
            AND ($2::text = '' OR key_id = $2)
            AND ($3::text = '' OR grant_id = $3)
            AND (NOT $10::boolean OR (key_id = '' AND grant_id = ''))
            AND created_at >= $8
            AND created_at < $9
    ) AS parts
"""

# All members of an organization at once: a statement each took longer than a gateway waits from some hundred on. The
# aggregates keep each part a few looks at an index. Of the days at the ends whole hours are sums, too: these stay when
# a month's rows are archived, and a budget without end begins when somebody joined, years ago.
SUM_OF_USERS: Final = """
    SELECT coalesce(sum(sums.cost_micro_rub), 0)::bigint
    FROM (
        SELECT
            *,
            date_trunc('hour', rows_from + interval '59 min 59.999999 s', 'UTC') AS hours_from,
            date_trunc('hour', ends_at + interval '59 min 59.999999 s', 'UTC') AS hours_behind
        FROM unnest(
            $1::text[], $2::date[], $3::timestamptz[], $4::timestamptz[], $5::date[], $6::timestamptz[],
            $7::timestamptz[]
        ) AS given (user_id, first_whole_day, rows_from, rows_until, first_day_after, ends_at, last_day_ends)
    ) AS part
    CROSS JOIN LATERAL (
        SELECT sum(cost_micro_rub) AS cost_micro_rub
        FROM usage.rollup_day
        WHERE rollup_day.user_id = part.user_id
            AND day >= part.first_whole_day
            AND day < part.first_day_after
        UNION ALL
        SELECT sum(cost_micro_rub)
        FROM usage.rollup_hour_user
        WHERE rollup_hour_user.user_id = part.user_id
            AND hour >= part.hours_from
            AND hour < part.rows_until
        UNION ALL
        SELECT sum(cost) * 1000000
        FROM usage.usage
        WHERE usage.user_id = part.user_id
            AND created_at >= part.rows_from
            AND created_at < least(part.hours_from, part.rows_until)
        UNION ALL
        SELECT sum(-cost_micro_rub)
        FROM usage.rollup_hour_user
        WHERE rollup_hour_user.user_id = part.user_id
            AND hour >= part.hours_behind
            AND hour < part.last_day_ends
        UNION ALL
        SELECT sum(-cost) * 1000000
        FROM usage.usage
        WHERE usage.user_id = part.user_id
            AND created_at >= part.ends_at
            AND created_at < least(part.hours_behind, part.last_day_ends)
    ) AS sums
"""

FIRST_DAY: Final = """
    SELECT day
    FROM usage.rollup_day
    WHERE user_id = $1
        AND ($2::text = '' OR key_id = $2)
        AND ($3::text = '' OR grant_id = $3)
        AND (NOT $4::boolean OR (key_id = '' AND grant_id = ''))
    ORDER BY day
    LIMIT 1
"""


async def first_day(connection: Connection, subject: Subject) -> date | None:
    """Return the first UTC day on which the subject asked for anything; None: it never did."""
    day: date | None = await connection.fetchval(
        FIRST_DAY, subject.user_id, subject.key_id, subject.grant_id, subject.is_unkeyed
    )
    return day


async def sum_of_users(connection: Connection, parts: Sequence[tuple[str, Span]]) -> int:
    """Return what users spent together, each in a span of their own, in micro-roubles."""
    columns = zip(*[_columns(user_id, span) for user_id, span in parts], strict=True) if parts else [[]] * 7
    total: int = await connection.fetchval(SUM_OF_USERS, *map(list, columns))
    return total


def _columns(user_id: str, span: Span) -> tuple[object, ...]:
    whole = (span.first_whole_day, span.rows_from, span.rows_until)
    return (user_id, *whole, span.first_day_after, span.ends_at, span.last_day_ends)


async def sum_spend(connection: Connection, subject: Subject, span: Span) -> Spend:
    """Return what the subject spent in the span."""
    row = await connection.fetchrow(
        SUM_SPEND,
        subject.user_id,
        subject.key_id,
        subject.grant_id,
        span.first_whole_day,
        span.rows_from,
        span.rows_until,
        span.first_day_after,
        span.ends_at,
        span.last_day_ends,
        subject.is_unkeyed,
    )
    assert row is not None  # an aggregate without GROUP BY has one row
    return Spend(**dict(row))
