"""The table of the column store, and the PostgreSQL expression for each of its columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TABLE: Final = "usage_rows"
# Where a month is gathered before it takes the place of the one that is there.
FILLING: Final = "usage_rows_filling"


@dataclass(frozen=True, slots=True)
class ColumnOfRow:
    """A column: its type in ClickHouse, and the expression with which PostgreSQL writes it (empty: its name)."""

    name: str
    type: str
    written: str = ""


def _texts(*names: str, type: str = "String") -> tuple[ColumnOfRow, ...]:
    return tuple(ColumnOfRow(name, type) for name in names)


def _few(*names: str) -> tuple[ColumnOfRow, ...]:
    """Return texts that repeat: a number each, and the words once."""
    return _texts(*names, type="LowCardinality(String)")


def _numbers(*names: str) -> tuple[ColumnOfRow, ...]:
    return tuple(ColumnOfRow(name, "Int32 CODEC(T64, ZSTD)") for name in names)


# What questions read; attempts, traces and prices of a request stay where GetRequest finds them.
COLUMNS: Final = (
    ColumnOfRow("id", "UUID CODEC(ZSTD)"),
    ColumnOfRow("user_id", "String CODEC(ZSTD)"),
    # As text: the number would be a fraction.
    ColumnOfRow("created_at", "DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD)", "created_at AT TIME ZONE 'UTC'"),
    *_texts("key_id", "client_id", type="String CODEC(ZSTD)"),
    *_few("provider", "model", "resolved_model", "endpoint", "status", "source", "error_code", "finish_reason"),
    *_few("cache_status"),
    # What a caller wrote, whatever it was.
    ColumnOfRow("requested_model", "String CODEC(ZSTD)"),
    *_numbers("http_status", "tokens_input", "tokens_output", "tokens_cached", "tokens_reasoning"),
    *_numbers("latency_ms", "first_token_ms", "fallbacks", "traits"),
    ColumnOfRow("cost_micro_rub", "Int64 CODEC(T64, ZSTD)", "(cost * 1000000)::bigint"),
    ColumnOfRow("saved_micro_rub", "Int64 CODEC(T64, ZSTD)"),
    ColumnOfRow("stream", "UInt8", "stream::integer"),
    ColumnOfRow("prompt_digest", "String CODEC(ZSTD)", "encode(prompt_digest, 'hex')"),
    ColumnOfRow("metadata", "String CODEC(ZSTD)", "metadata::text"),
)
# What feeding adds: the number of the try, and whether the row was deleted.
FED: Final = (ColumnOfRow("feed", "UInt64 CODEC(T64, ZSTD)"), ColumnOfRow("is_gone", "UInt8"))
NAMES: Final = tuple([column.name for column in (*COLUMNS, *FED)])

# The row with the highest number is the one that counts; the others are merged away. One part a month is left when no
# more rows come, and it is read without looking for doubles.
_CREATE: Final = """
    CREATE TABLE IF NOT EXISTS {name}
    (
        {columns},
        tags Array(LowCardinality(String)) MATERIALIZED
            arrayMap(tag -> concat(tag.1, '=', tag.2), JSONExtractKeysAndValues(metadata, 'String'))
    )
    ENGINE = ReplacingMergeTree(feed)
    PARTITION BY toYYYYMM(created_at)
    ORDER BY (user_id, created_at, id)
    SETTINGS min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1
"""
CREATE_TABLES: Final = tuple(
    _CREATE.format(name=name, columns=",\n".join(f"{column.name} {column.type}" for column in (*COLUMNS, *FED)))
    for name in (TABLE, FILLING)
)

# The table that is looked at comes last: while it lacks one the others may lack it too.
ADD_COLUMNS: Final = tuple(
    f"ALTER TABLE {name} "
    + ", ".join(f"ADD COLUMN IF NOT EXISTS {column.name} {column.type}" for column in (*COLUMNS, *FED))
    for name in (FILLING, TABLE)
)


def written_by_postgres() -> str:
    """Return the list of what PostgreSQL selects of a row of `usage.usage`."""
    return ", ".join(column.written or column.name for column in COLUMNS)
