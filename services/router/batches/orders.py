"""Creating, reading and cancelling batches, for their owners."""

from __future__ import annotations

import secrets
from datetime import timedelta

from servicekit.clock import Clock
from servicekit.errors import Conflict, ErrorReason, NotFound, QuotaExceeded
from servicekit.postgres import database_errors
from services.router.batches.domain.values import Batch, NewBatch, Owner, Page
from services.router.batches.files import CallerFiles
from services.router.batches.settings import BatchSettings
from services.router.batches.store.batches import BatchStore


class BatchOrders:
    """The use cases of batches, for their owners."""

    def __init__(self, store: BatchStore, files: CallerFiles, settings: BatchSettings, clock: Clock) -> None:
        self._store = store
        self._files = files
        self._settings = settings
        self._clock = clock

    async def create(self, owner: Owner, order: NewBatch) -> Batch:
        """Take a batch in.

        Raises:
            NotFound: its file is not there.
            QuotaExceeded: the owner has too many that have not ended.
        """
        await self._files.find(owner, order.input_file_id)
        batch_id, now = f"batch_{secrets.token_hex(12)}", self._clock.now()
        times, most = (now, now + timedelta(seconds=order.window_s)), self._settings.open_batches
        with database_errors():
            has_room = await self._store.add(owner, batch_id, order, times, most=most)
        if not has_room:
            text = f"{most} of your batches have not ended: wait for one, or cancel one."
            raise QuotaExceeded(ErrorReason.QUOTA_EXCEEDED, text)
        return await self.find(owner, batch_id)

    async def find(self, owner: Owner, batch_id: str) -> Batch:
        """Return a batch.

        Raises:
            NotFound: there is none, or it is another's.
        """
        with database_errors():
            found = await self._store.find(owner, batch_id)
        if found is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such batch.", param="batch_id")
        return found

    async def page(self, owner: Owner, page: Page) -> tuple[list[Batch], bool]:
        """Return a page of the owner's batches, newest first, and whether there are more.

        Raises:
            NotFound: the page begins after a batch that is none of theirs.
        """
        if page.after:
            await self.find(owner, page.after)
        with database_errors():
            found = await self._store.page(owner, page)
        return found[: page.limit], len(found) > page.limit

    async def cancel(self, owner: Owner, batch_id: str) -> Batch:
        """Begin no further line of a batch; what runs is finished, and billed.

        Raises:
            NotFound: there is none, or it is another's.
            Conflict: it has ended.
        """
        batch = await self.find(owner, batch_id)
        if batch.status.has_ended:
            raise Conflict(ErrorReason.CONFLICT, f"The batch is {batch.status} already.", param="batch_id")
        with database_errors():
            await self._store.cancel(owner, batch_id, self._clock.now())
        return await self.find(owner, batch_id)
