"""Records through the real way in: decoded, validated, rows and rollups in transactions that batches share."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import psutil
from razvilka.usage.v1.usage_pb2 import RecordRequest

from servicekit.clock import SystemClock
from services.usage.domain.record import COLUMNS, EPOCH, Source, Status, UsageRecord
from services.usage.ingest import Ingest
from services.usage.rpc import record_from_proto, record_to_proto
from services.usage.settings import IngestSettings
from services.usage.store import UsageStore

# As many as a gateway ships at once.
BATCH: Final = 500
_EMPTY: Final[dict[str, Any]] = {"text": "", "integer": 0, "bigint": 0, "boolean": False, "bytea": b""}


# Gateways ship side by side, each one batch at a time; about so many have ten thousand requests a second.
GATEWAYS: Final = 16


@dataclass(frozen=True, slots=True)
class Stored:
    """How fast records were stored, and the CPU that one took, in microseconds; no other load hides that."""

    records_per_s: float
    service_us: float
    postgres_us: float


async def store_records(pool: asyncpg.Pool[asyncpg.Record], count: int, servers: Sequence[psutil.Process]) -> Stored:
    """Store so many records in batches, as they come over the wire, by PostgreSQL processes that are the pool's."""
    rng = random.Random(7)  # noqa: S311 - sizes only
    ingest = Ingest(UsageStore(pool), IngestSettings(), clock=SystemClock(), rng=rng)
    batches = [_message(rng, BATCH) for _ in range(count // BATCH)]
    # Each connection prepares the statement once, and that is no part of a record.
    await asyncio.gather(*[_store(ingest, [_message(rng, 1)]) for _ in servers])
    ours, theirs, begin = time.process_time(), cpu_s(servers), time.perf_counter()
    async with asyncio.TaskGroup() as gateways:
        for number in range(GATEWAYS):
            gateways.create_task(_store(ingest, batches[number::GATEWAYS]))
    stored, taken_s = len(batches) * BATCH, time.perf_counter() - begin
    us_each = 1e6 / stored
    return Stored(stored / taken_s, (time.process_time() - ours) * us_each, (cpu_s(servers) - theirs) * us_each)


def cpu_s(processes: Sequence[psutil.Process]) -> float:
    """Return the seconds of CPU that processes have taken so far."""
    return sum(times.user + times.system for times in [process.cpu_times() for process in processes])


async def _store(ingest: Ingest, batches: Sequence[bytes]) -> None:
    for batch in batches:
        await ingest.record([record_from_proto(each) for each in RecordRequest.FromString(batch).records])


def _message(rng: random.Random, records: int) -> bytes:
    return RecordRequest(records=[record_to_proto(_record(rng)) for _ in range(records)]).SerializeToString()


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
