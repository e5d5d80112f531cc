"""Records through the real way in: validation, rows, rollups, one transaction a batch."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from servicekit.clock import SystemClock
from services.usage.domain.record import COLUMNS, EPOCH, Source, Status, UsageRecord
from services.usage.ingest import Ingest
from services.usage.settings import IngestSettings
from services.usage.store import UsageStore

# As many as a gateway ships at once.
BATCH: Final = 500
_EMPTY: Final[dict[str, Any]] = {"text": "", "integer": 0, "bigint": 0, "boolean": False, "bytea": b""}


# Gateways ship side by side; each has one batch on its way.
WRITERS: Final = 4


async def records_per_second(store: UsageStore, count: int, rng: random.Random) -> float:
    """Return how many records a second some writers store together."""
    ingest = Ingest(store, IngestSettings(), clock=SystemClock(), rng=rng)
    batches = [[_record(rng) for _ in range(BATCH)] for _ in range(count // BATCH)]
    await ingest.record([_record(rng)])
    begin = time.perf_counter()
    async with asyncio.TaskGroup() as writers:
        for number in range(WRITERS):
            writers.create_task(_store(ingest, batches[number::WRITERS]))
    return len(batches) * BATCH / (time.perf_counter() - begin)


async def _store(ingest: Ingest, batches: Sequence[Sequence[UsageRecord]]) -> None:
    for batch in batches:
        await ingest.record(batch)


def _record(rng: random.Random) -> UsageRecord:
    """Return a record of the last ten minutes, of a user as the others are."""
    at = datetime.now(UTC) - timedelta(seconds=rng.random() * 600)
    person, model = int(2_000 * rng.random() ** 4), int(12 * rng.random() ** 2)
    values: dict[str, Any] = {column.name: _EMPTY.get(column.sql_type) for column in COLUMNS}
    named = {
        "request_id": _request_id(at, rng),
        "user_id": f"user-{person}",
        "key_id": f"key-{person}-{rng.randrange(3)}",
        "provider": f"provider-{model % 4}",
        "model": f"model-{model}:latest",
        "endpoint": "chat.completions",
        "status": Status.COMPLETED,
        "source": Source.PROVIDER,
        "tokens_input": rng.randrange(2_000),
        "tokens_output": rng.randrange(500),
        "cost_micro_rub": rng.randrange(1_000_000),
        "latency_ms": rng.randrange(200, 20_000),
        "first_token_ms": 150,
        "attempts": (),
        "metadata": {},
        "started_at": at,
    }
    return UsageRecord(**values | named)


def _request_id(at: datetime, rng: random.Random) -> str:
    milliseconds = (at - EPOCH) // timedelta(milliseconds=1)
    low = rng.getrandbits(62)
    return str(UUID(int=milliseconds << 80 | 7 << 76 | rng.getrandbits(12) << 64 | 2 << 62 | low))
