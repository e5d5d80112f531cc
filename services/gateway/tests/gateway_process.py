"""A gateway without its HTTP edge, as a process that tests kill: admission and metering over real files and Redis.

python -m services.gateway.tests.gateway_process <redis url> <folder> <boot id> <requests>

The usage service is a file with a line for each stored record (`rows.jsonl`); what a client would have seen as complete
is a line in `completed.txt`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import redis.asyncio

from servicekit.failpoints import failpoint
from services.gateway.admission.admission import Admission, open_admission
from services.gateway.admission.dimensions import Limits
from services.gateway.admission.redis.holds import Holds
from services.gateway.admission.request import AdmissionRequest
from services.gateway.metering.chores.leader_election import LeaderElection
from services.gateway.metering.metering import Metering, open_metering
from services.gateway.metering.options import MeteringOptions
from services.gateway.metering.usage_record import Rejected, UsageRecord
from services.gateway.tests.admission_kit import PATIENT, Ledger, budget, request
from services.gateway.tests.metering_kit import completed

LIMITS = Limits(concurrent_requests=100, tokens_per_minute=10**6)
INPUT_TOKENS = 10


def append_line(path: Path, line: bytes) -> None:
    """Append a line that survives the death of this process."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, line + b"\n")
    os.close(descriptor)


def row_sink(folder: Path):
    """Return a usage.Record over a file; it stores what it is told, the reader drops duplicates."""

    async def record(batch: Sequence[UsageRecord]) -> Sequence[Rejected]:
        for row in batch:
            append_line(folder / "rows.jsonl", msgspec.json.encode(row))
        return []

    return record


def stored_rows(folder: Path) -> list[UsageRecord]:
    """Return what was stored, with repetitions."""
    path = folder / "rows.jsonl"
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [msgspec.json.decode(line, type=UsageRecord) for line in lines]


def request_for(number: int, boot_id: str) -> AdmissionRequest:
    """Return the request of that number."""
    return request(request_id=f"{boot_id}-{number}", user=LIMITS, budgets=(budget(10**9),), hold=500, boot_id=boot_id)


async def serve_one(admission: Admission, metering: Metering, asked: AdmissionRequest, folder: Path) -> None:
    """Do what the edge does for one streamed answer."""
    admitted = await admission.admit(asked)
    failpoint("gateway.after_admit")
    meter = metering.dispatched(admitted.ticket, asked.facts)
    for delivered in (300, 600):
        await asyncio.sleep(0)
        meter.progress(delivered)
    await meter.settle(completed(INPUT_TOKENS, 700))
    append_line(folder / "completed.txt", asked.request_id.encode())


async def main(url: str, folder: Path, boot_id: str, requests: int) -> None:
    """Serve so many requests, four at a time, then stop in order."""
    async with (
        redis.asyncio.from_url(url) as client,
        open_admission(client, Ledger().spend_of, boot_id=boot_id, options=PATIENT) as admission,
        open_metering(
            folder / "journal",
            LeaderElection(client),
            row_sink(folder),
            admission,
            Holds(client),
            boot_id=boot_id,
            options=MeteringOptions(linger_s=0.001, batch_every_s=0.001, segment_bytes=2000),
        ) as metering,
    ):
        while metering.recovering:
            await asyncio.sleep(0.001)
        for first in range(0, requests, 4):
            async with asyncio.TaskGroup() as group:
                for number in range(first, min(first + 4, requests)):
                    group.create_task(serve_one(admission, metering, request_for(number, boot_id), folder))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
