"""The rollup tables, and the statement that adds rows to all of them at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from servicekit.postgres import sql
from services.usage.domain.invariant import Invariant
from services.usage.domain.rollup import BUCKET_GROWTH, MAX_TAG_BYTES, SUMS, TAGS_A_DAY
from services.usage.store.column_sql import AMOUNTS_OF_ROW, SLOTS_OF_ROW, listed


@dataclass(frozen=True, slots=True)
class RollupTable:
    """A table of sums; its key names columns of rows, and the slot (`day`, `week`, `hour`) that they lie in."""

    name: str
    key: tuple[str, ...]
    invariant: Invariant


_CALL: Final = ("provider", "model", "status", "endpoint", "error_code")
WEEK_KEYS: Final = RollupTable(
    "rollup_week_key", ("week", "user_id", "key_id", "client_id"), Invariant.DAYS_EQUAL_KEY_WEEKS
)
TAGS: Final = RollupTable("rollup_day_tag", ("user_id", "day", "tag"), Invariant.ROWS_EQUAL_TAGS)
# Those whose sums follow from rows alone. PostgreSQL fills them from the last to the first, so that the platform's
# rows, of which every writer needs the same few, are locked for the shortest time.
ROLLUPS: Final = (
    RollupTable("rollup_day_platform", ("day", *_CALL), Invariant.ROWS_EQUAL_PLATFORM_DAYS),
    RollupTable("rollup_hour_platform", ("hour", *_CALL), Invariant.ROWS_EQUAL_PLATFORM_HOURS),
    RollupTable("rollup_day_user", ("day", "user_id"), Invariant.ROWS_EQUAL_USER_DAYS),
    RollupTable("rollup_day_key", ("user_id", "day", "key_id", "client_id"), Invariant.ROWS_EQUAL_KEY_DAYS),
    RollupTable("rollup_day_user_model", ("user_id", "day", *_CALL), Invariant.ROWS_EQUAL_MODEL_DAYS),
    RollupTable("rollup_hour_user", ("user_id", "hour", *_CALL), Invariant.ROWS_EQUAL_USER_HOURS),
    RollupTable("rollup_day", ("user_id", "day", "key_id", "grant_id", "client_id", *_CALL), Invariant.ROWS_EQUAL_DAYS),
)

# Of each row: what its sums are told apart by, and what is summed.
COUNTED: Final = listed(
    [
        *("id", "user_id", "key_id", "grant_id", "client_id", *_CALL),
        *("metadata", "source", "latency_ms", "first_token_ms"),
        *[f"{expression} AS {slot}" for slot, expression in SLOTS_OF_ROW.items()],
        *[f"{expression} AS {name}" for name, expression in AMOUNTS_OF_ROW.items()],
    ]
)
ADD: Final = listed(f"{name} = old.{name} + excluded.{name}" for name in SUMS)
# The same order in every writer, so that they wait for each other's rows in one order.
_INTO_ROLLUP: Final = """
    {name} AS (
        INSERT INTO usage.{name} AS old ({key}, {names})
        SELECT {key}, {sums}
        FROM counted
        GROUP BY {places}
        ORDER BY {places}
        ON CONFLICT ({key}) DO UPDATE SET {add}
    ),
"""
_COUNT_LATENCY: Final = """
    SELECT
        hour, provider, model, metric,
        CASE WHEN ms > 1 THEN ceil(ln(ms::float8) / {log_growth})::smallint ELSE 0 END AS bucket,
        {sign}count(*)
    FROM counted
    CROSS JOIN LATERAL (
        VALUES ('latency', latency_ms, source <> 'imported'), ('first_token', first_token_ms, first_token_ms > 0)
    ) AS measured (metric, ms, holds)
    WHERE holds
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 2, 3, 4, 5
"""
_INTO_LATENCY: Final = """
    rollup_hour_latency AS (
        INSERT INTO usage.rollup_hour_latency AS old (hour, provider, model, metric, bucket, requests)
        {count}
        ON CONFLICT (hour, provider, model, metric, bucket) DO UPDATE SET requests = old.requests + excluded.requests
    ),
"""
# Of a full day nothing is added to tags: whoever sees a row that was left out sees also that its day is full.
_INTO_TAGS: Final = """
    tagged AS (
        SELECT *, octet_length(tag) > {max_tag_bytes} AS is_long
        FROM counted
        CROSS JOIN LATERAL (
            SELECT '' AS tag
            UNION ALL
            SELECT name || '=' || value FROM jsonb_each_text(metadata) AS pair (name, value)
        ) AS tags
        WHERE metadata <> '{{}}'
    ),
    rollup_day_tag AS (
        INSERT INTO usage.rollup_day_tag AS old (user_id, day, tag, {names})
        SELECT user_id, day, tag, {sums}
        FROM tagged
        WHERE NOT is_long
            AND NOT EXISTS (
                SELECT
                FROM usage.rollup_tag_days AS known
                WHERE known.user_id = tagged.user_id AND known.day = tagged.day AND known.tags >= {tags_a_day}
            )
        GROUP BY user_id, day, tag
        ORDER BY user_id, day, tag
        ON CONFLICT (user_id, day, tag) DO UPDATE SET {add}
        RETURNING user_id, day, (xmax = 0)::int AS new_tags
    ),
    rollup_tag_days AS (
        INSERT INTO usage.rollup_tag_days AS old (user_id, day, tags)
        SELECT user_id, day, sum(new_tags)
        FROM (
            SELECT user_id, day, new_tags FROM rollup_day_tag WHERE new_tags > 0
            UNION ALL
            SELECT DISTINCT user_id, day, {tags_a_day} FROM tagged WHERE is_long
        ) AS found
        GROUP BY user_id, day
        ORDER BY user_id, day
        ON CONFLICT (user_id, day) DO UPDATE SET tags = old.tags + excluded.tags
    )
"""


def adding(rows: str, *, sign: str = "", answer: str = "count(*)") -> str:
    """Return the statement that makes `counted` of rows and adds their sums to every rollup.

    Args:
        rows: a query that has the columns `COUNTED` of the rows.
        sign: `-` takes the sums back.
        answer: what the statement tells of `counted`.
    """
    sums = listed(f"{sign}sum({name})" for name in SUMS)
    parts = {"names": listed(SUMS), "sums": sums, "add": ADD}
    tables = "".join(
        sql(_INTO_ROLLUP, name=table.name, key=listed(table.key), places=_places(table), **parts)
        for table in (WEEK_KEYS, *ROLLUPS)
    )
    latency = sql(_INTO_LATENCY, count=count_latency(sign))
    tags = into_tags(sums)
    statement = sql(
        "WITH counted AS ({rows}),{filled} SELECT {answer} FROM counted",
        rows=rows,
        filled=latency + tables + tags,
        answer=answer,
    )
    # The driver keeps prepared what is shorter than 15 KiB; planning this takes ten times as long as a small batch.
    return " ".join(statement.split())


def count_latency(sign: str = "") -> str:
    """Return the query that counts durations of `counted` by bucket; `sign` as in `adding`."""
    return sql(_COUNT_LATENCY, sign=sign, log_growth=repr(math.log(BUCKET_GROWTH)))


def into_tags(sums: str) -> str:
    """Return the part of a statement that adds the sums of `counted` by tag; `sums` are what is added."""
    fixed = {"max_tag_bytes": str(MAX_TAG_BYTES), "tags_a_day": str(TAGS_A_DAY)}
    return sql(_INTO_TAGS, names=listed(SUMS), sums=sums, add=ADD, **fixed)


def _places(table: RollupTable) -> str:
    return listed(str(place) for place, _ in enumerate(table.key, 1))
