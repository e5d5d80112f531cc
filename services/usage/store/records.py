"""The rows of `usage.usage`: insert once, find, replace a reaper's guess."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

import msgspec
from asyncpg import Record

from services.usage.domain.record import Attempt, Source, Status, UsageRecord
from services.usage.store.connection import Connection

# $15: money is a whole number of micro-roubles until here; the product is exact, a division would round.
INSERT_RECORDS: Final = """
    INSERT INTO usage.usage (
        id, user_id, key_id, grant_id, client_id, provider, model, requested_model, resolved_model, endpoint,
        tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost, price_version, status, source,
        finish_reason, error_code, stream, http_status, latency_ms, first_token_ms, trace_id, started_at,
        created_at, attempts)
    SELECT
        id, user_id, key_id, grant_id, client_id, provider, model, requested_model, resolved_model, endpoint,
        tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub * 0.000001, price_version,
        status, source, finish_reason, error_code, stream, http_status, latency_ms, first_token_ms, trace_id,
        started_at, created_at, attempts::jsonb
    FROM unnest(
        $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
        $10::text[], $11::integer[], $12::integer[], $13::integer[], $14::integer[], $15::bigint[], $16::text[],
        $17::text[], $18::text[], $19::text[], $20::text[], $21::boolean[], $22::integer[], $23::integer[],
        $24::integer[], $25::text[], $26::timestamptz[], $27::timestamptz[], $28::text[])
    AS new (
        id, user_id, key_id, grant_id, client_id, provider, model, requested_model, resolved_model, endpoint,
        tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub, price_version, status, source,
        finish_reason, error_code, stream, http_status, latency_ms, first_token_ms, trace_id, started_at,
        created_at, attempts)
    ON CONFLICT (id, created_at) DO NOTHING
    RETURNING id::text
"""

_PLAIN: Final = attrgetter(
    "request_id",
    "user_id",
    "key_id",
    "grant_id",
    "client_id",
    "provider",
    "model",
    "requested_model",
    "resolved_model",
    "endpoint",
    "tokens_input",
    "tokens_output",
    "tokens_cached",
    "tokens_reasoning",
    "cost_micro_rub",
    "price_version",
    "status",
    "source",
    "finish_reason",
    "error_code",
    "stream",
    "http_status",
    "latency_ms",
    "first_token_ms",
    "trace_id",
    "started_at",
    "created_at",
)
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(tuple[Attempt, ...]).decode


def _values(record: UsageRecord) -> tuple[Any, ...]:
    return (*_PLAIN(record), _encode(record.attempts).decode())


async def insert(connection: Connection, records: Sequence[UsageRecord]) -> set[str]:
    """Insert the records, in the order given, and return the ids of those that were not there yet."""
    columns = zip(*map(_values, records), strict=True)
    rows = await connection.fetch(INSERT_RECORDS, *columns)
    return {row[0] for row in rows}


# The span of created_at spares the search in partitions that cannot hold the ids.
FIND_RECORDS: Final = """
    SELECT
        id::text AS request_id, user_id, key_id, grant_id, client_id, provider, model, requested_model,
        resolved_model, endpoint, tokens_input, tokens_output, tokens_cached, tokens_reasoning,
        (cost * 1000000)::bigint AS cost_micro_rub, price_version, status, source, finish_reason, error_code, stream,
        http_status, latency_ms, first_token_ms, trace_id, started_at, attempts::text AS attempts
    FROM usage.usage
    WHERE id = ANY($1::uuid[])
        AND created_at BETWEEN $2 AND $3
"""


async def find(connection: Connection, records: Sequence[UsageRecord]) -> dict[str, UsageRecord]:
    """Return what is stored under the ids of `records`."""
    return _by_id(await connection.fetch(FIND_RECORDS, *_ids_and_span(records)))


# Read again under the lock: while we waited for it, another writer may have replaced the row, and then
# PostgreSQL finds it no longer reaped and leaves it out.
LOCK_REAPED: Final = """
    SELECT
        id::text AS request_id, user_id, key_id, grant_id, client_id, provider, model, requested_model,
        resolved_model, endpoint, tokens_input, tokens_output, tokens_cached, tokens_reasoning,
        (cost * 1000000)::bigint AS cost_micro_rub, price_version, status, source, finish_reason, error_code, stream,
        http_status, latency_ms, first_token_ms, trace_id, started_at, attempts::text AS attempts
    FROM usage.usage
    WHERE id = ANY($1::uuid[])
        AND created_at BETWEEN $2 AND $3
        AND source = 'reaped'
    ORDER BY id
    FOR UPDATE
"""


async def lock_reaped(connection: Connection, records: Sequence[UsageRecord]) -> dict[str, UsageRecord]:
    """Lock the reaped rows under the ids of `records` and return them."""
    return _by_id(await connection.fetch(LOCK_REAPED, *_ids_and_span(records)))


REPLACE_RECORD: Final = """
    UPDATE usage.usage
    SET user_id = $2, key_id = $3, grant_id = $4, client_id = $5, provider = $6, model = $7, requested_model = $8,
        resolved_model = $9, endpoint = $10, tokens_input = $11, tokens_output = $12, tokens_cached = $13,
        tokens_reasoning = $14, cost = $15::bigint * 0.000001, price_version = $16, status = $17, source = $18,
        finish_reason = $19, error_code = $20, stream = $21, http_status = $22, latency_ms = $23,
        first_token_ms = $24, trace_id = $25, started_at = $26, attempts = $28::text::jsonb
    WHERE id = $1
        AND created_at = $27
"""


async def replace(connection: Connection, records: Iterable[UsageRecord]) -> None:
    """Overwrite the stored rows of the same ids."""
    for record in records:
        await connection.execute(REPLACE_RECORD, *_values(record))


# Every partition's primary key is asked: an id brought over from release 1.0 does not tell its time.
FIND_RECORD_OF_USER: Final = """
    SELECT
        id::text AS request_id, user_id, key_id, grant_id, client_id, provider, model, requested_model,
        resolved_model, endpoint, tokens_input, tokens_output, tokens_cached, tokens_reasoning,
        (cost * 1000000)::bigint AS cost_micro_rub, price_version, status, source, finish_reason, error_code, stream,
        http_status, latency_ms, first_token_ms, trace_id, started_at, attempts::text AS attempts
    FROM usage.usage
    WHERE id = $1
        AND user_id = $2
"""


async def find_of_user(connection: Connection, user_id: str, request_id: str) -> UsageRecord | None:
    """Return one request of one user."""
    row = await connection.fetchrow(FIND_RECORD_OF_USER, request_id, user_id)
    return None if row is None else _record(row)


def _ids_and_span(records: Sequence[UsageRecord]) -> tuple[list[str], datetime, datetime]:
    times = [record.created_at for record in records]
    return [record.request_id for record in records], min(times), max(times)


def _by_id(rows: Iterable[Record]) -> dict[str, UsageRecord]:
    return {row["request_id"]: _record(row) for row in rows}


def _record(row: Record) -> UsageRecord:
    values = dict(row)
    return UsageRecord(
        **values
        | {
            "status": Status(values["status"]),
            "source": Source(values["source"]),
            "attempts": _decode(values["attempts"]),
        }
    )
