"""A room of batches on a database of its own, and short ways through it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from servicekit.testing.fake_clock import FakeClock
from services.router.batches.applications import Applications
from services.router.batches.domain.values import Batch, ClaimedLine, LineResult, NewBatch, NewLine, Owner, StoredFile
from services.router.batches.ending import BatchEnding
from services.router.batches.files import CallerFiles
from services.router.batches.orders import BatchOrders
from services.router.batches.sealing import Sealing
from services.router.batches.settings import BatchSettings
from services.router.batches.store.applications import ApplicationStore
from services.router.batches.store.batches import BatchStore
from services.router.batches.store.files import FileStore
from services.router.batches.work import BatchWork
from services.router.store import Pool

ANNA = Owner("anna")
BORIS = Owner("boris")
SEALING = Sealing(b"a secret of tests, of any length")
CHAT = "/v1/chat/completions"
DAY_S = 86_400


class Room:
    """Everything of the room on one pool and clock."""

    def __init__(self, pool: Pool, **settings: Any) -> None:
        self.pool = pool
        self.clock = FakeClock()
        self.settings = BatchSettings(**settings)
        self.files = CallerFiles(FileStore(pool), SEALING, self.settings, self.clock)
        self.orders = BatchOrders(BatchStore(pool), self.files, self.settings, self.clock)
        self.work = BatchWork(pool, SEALING, self.settings, self.clock)
        self.ending = BatchEnding(pool, SEALING, self.settings, self.clock)
        self.applications = Applications(ApplicationStore(pool), self.clock)

    async def file(self, *parts: bytes, owner: Owner = ANNA, name: str = "asked.jsonl") -> StoredFile:
        """Upload a file."""
        file_id = await self.files.begin(owner, name)
        for number, part in enumerate(parts or (b"{}\n",)):
            await self.files.add_part(owner, file_id, number, part)
        return await self.files.complete(owner, file_id, "batch", 0)

    async def created(self, owner: Owner = ANNA, **order: Any) -> Batch:
        """Return a batch that nobody has looked at."""
        file = await self.file(owner=owner)
        given = {"endpoint": CHAT, "window_s": DAY_S, "key_id": "key", "metadata": {}, **order}
        return await self.orders.create(owner, NewBatch(input_file_id=file.id, **given))

    async def started(self, lines: int = 2, owner: Owner = ANNA) -> Batch:
        """Return a batch whose lines may be claimed."""
        batch = await self.created(owner)
        assert await self.work.claim_batch("looker") is not None
        new = [NewLine(number, f"line-{number}", b'{"n": %d}' % number) for number in range(1, lines + 1)]
        await self.work.add_lines("looker", batch.id, new)
        await self.work.start_batch("looker", batch.id, [])
        return batch

    async def answer(self, worker: str, line: ClaimedLine, status: int = 200) -> None:
        """Say that a line was answered."""
        await self.end(worker, line, b'{"said": %d}' % line.number, status=status)

    async def end(self, worker: str, line: ClaimedLine, *body: bytes, status: int = 200) -> None:
        """Say what was answered, in parts."""
        *begun, rest = body
        for part, content in enumerate(begun):
            await self.work.add_answer_part(worker, line.batch_id, line.number, part, content)
        result = LineResult(f"request-{line.number}", status, rest)
        await self.work.finish(worker, line.batch_id, line.number, result, parts=len(begun))

    async def written(self, file_id: str, owner: Owner = ANNA) -> list[dict[str, Any]]:
        """Return the lines of a file."""
        content = b""
        for number in range((await self.files.find(owner, file_id)).parts):
            content += await self.files.read_part(owner, file_id, number)
        return [json.loads(line) for line in content.splitlines()]


def numbers(lines: Sequence[ClaimedLine]) -> list[int]:
    """Return which lines these are, in order."""
    return sorted(line.number for line in lines)
