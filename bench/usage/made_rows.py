"""A hundred million rows made inside ClickHouse's engine, alike those of `make bench-usage`, and what they take."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bench.usage.dataset import BIGGEST, DAYS, USERS
from services.usage.column_store.engine import ColumnEngine

# Rows of one INSERT … SELECT: a part of this size needs some hundred megabytes.
PIECE: Final = 2_000_000
# `bench/usage/dataset.py` in ClickHouse's words: the same users, models, sizes and shares.
MAKE: Final = """
    INSERT INTO usage_rows (
        id, user_id, created_at, key_id, client_id, provider, model, resolved_model, endpoint, status, source,
        error_code, finish_reason, cache_status, requested_model, http_status, tokens_input, tokens_output,
        tokens_cached, tokens_reasoning, latency_ms, first_token_ms, fallbacks, traits, cost_micro_rub, saved_micro_rub,
        stream, prompt_digest, metadata, feed, is_gone
    )
    SELECT
        toUUID(concat(
            substring(milli, 1, 8), '-', substring(milli, 9, 4), '-7', substring(digest, 1, 3), '-8',
            substring(digest, 4, 3), '-', substring(digest, 7, 12))),
        concat('user-', toString(person)), fromUnixTimestamp64Milli(ms, 'UTC'),
        concat('key-', toString(person), '-', toString(number % 3)),
        if(by_app, concat('app-', toString(person % 7)), ''), concat('provider-', toString(model_number % 4)),
        concat('model-', toString(model_number), ':latest'), concat('model-', toString(model_number), '-build-7'),
        if(number % 10 = 0, 'embeddings', 'chat.completions'), if(failed, 'failed', 'completed'), 'provider',
        if(failed, ['provider_timeout', 'provider_error', 'content_filter'][1 + number % 3], ''), 'stop', '',
        concat('model-', toString(model_number)), if(failed, 502, 200), tokens, intDiv(tokens, 3), intDiv(tokens, 5), 0,
        wait + intDiv(tokens, 2), if(number % 2 = 0, wait, 0), 0, 0, tokens * (50 + 40 * model_number), 0,
        number % 2 = 0,
        lower(hex(sipHash128(number))),
        if(number % 20 = 0, concat('{{"team": "team-', toString(number % 5), '"}}'), '{{}}'), 1, 0
    FROM (
        SELECT
            number, toInt64(floor({users} * pow(rand(1) / 4294967296., 4))) AS person,
            toInt64(floor(12 * pow(rand(2) / 4294967296., 2))) AS model_number,
            toInt64(exp(5 + 3 * ((rand(3) + rand(4) + rand(5)) / 4294967296. - 1.5))) AS tokens,
            toInt64(exp(5.5 + 1.5 * ((rand(6) + rand(7) + rand(8)) / 4294967296. - 1.5))) AS wait,
            rand(9) < 171798692 AS failed, rand(10) < 858993459 AS by_app,
            {begin} + toInt64(number * {step}) AS ms, leftPad(lower(hex(ms)), 16, '0') AS padded,
            substring(padded, 5, 12) AS milli, lower(hex(MD5(toString(number)))) AS digest
        FROM numbers({since}, {count})
    )
    SETTINGS max_insert_threads = 2
"""
MERGE: Final = "OPTIMIZE TABLE usage_rows FINAL SETTINGS optimize_skip_merged_partitions = 1"
SIZE: Final = """
    SELECT sum(rows), sum(bytes_on_disk), count() FROM system.parts
    WHERE active AND database = currentDatabase() AND table = 'usage_rows'
"""
LARGEST: Final = """
    SELECT name, data_compressed_bytes FROM system.columns
    WHERE database = currentDatabase() AND table = 'usage_rows'
    ORDER BY data_compressed_bytes DESC LIMIT 4
"""


@dataclass(frozen=True, slots=True)
class Made:
    """Rows that were made: how many, of the biggest user, bytes of each on disk, and seconds."""

    rows: int
    of_biggest: int
    bytes_each: float
    largest: tuple[tuple[str, float], ...]
    parts: int
    making_s: float
    merging_s: float

    def told(self) -> list[str]:
        """Return what is said of them."""
        columns = ", ".join(f"`{name}` {size:.1f}" for name, size in self.largest)
        return [
            f"- {self.rows:,} rows of {DAYS} days and {USERS:,} users, {self.of_biggest:,} of them the biggest user's; "
            f"made in {self.making_s:.0f} s inside the engine, merged to {self.parts} parts in {self.merging_s:.0f} s.",
            f"- **{self.bytes_each:.1f} bytes a row** on disk, the largest columns: {columns}.",
        ]


async def make_rows(engine: ColumnEngine, rows: int, now: datetime) -> Made:
    """Make the table and its rows, in pieces that fit into memory, and have each month merged to one part."""
    await engine.make_tables()
    begin = int((now - timedelta(days=DAYS)).timestamp() * 1000)
    step = DAYS * 86_400_000 / rows
    started = time.perf_counter()
    for since in range(0, rows, PIECE):
        count = min(PIECE, rows - since)
        await engine.run(MAKE.format(users=USERS, begin=begin, step=step, since=since, count=count))
        print(f"{since + count:,} rows after {time.perf_counter() - started:.0f} s", flush=True)
    made_at = time.perf_counter()
    await engine.run(MERGE)
    return await _looked_at(engine, made_at - started, time.perf_counter() - made_at)


async def _looked_at(engine: ColumnEngine, making_s: float, merging_s: float) -> Made:
    ((rows, size, parts),) = await engine.ask(SIZE, {}, None)
    ((of_biggest,),) = await engine.ask("SELECT count() FROM usage_rows", {}, BIGGEST)
    largest = tuple((name, compressed / rows) for name, compressed in await engine.ask(LARGEST, {}, None))
    return Made(rows, of_biggest, size / rows, largest, parts, making_s, merging_s)
