"""Files of callers: uploaded part by part, read part by part, deleted when they are over."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final, TypeVar

from servicekit.clock import Clock
from servicekit.errors import Conflict, ErrorReason, InvalidRequest, NotFound, QuotaExceeded, invalid_parameter
from servicekit.postgres import database_errors
from services.router.batches.domain.values import Owner, Page, Purpose, StoredFile
from services.router.batches.sealing import Sealing, opened, sealed_up
from services.router.batches.settings import BatchSettings
from services.router.batches.store.files import FileStore

MEGABYTE: Final = 1024 * 1024
# Whoever broke off an upload does not come back to it.
UPLOAD_S: Final = 3600
_LONGEST_NAME: Final = 255


def new_file_id() -> str:
    """Return an id that nobody can guess: `file-` and 24 digits."""
    return f"file-{secrets.token_hex(12)}"


class CallerFiles:
    """The use cases of callers' files."""

    def __init__(self, store: FileStore, sealing: Sealing, settings: BatchSettings, clock: Clock) -> None:
        self._store = store
        self._sealing = sealing
        self._settings = settings
        self._clock = clock

    async def begin(self, owner: Owner, filename: str) -> str:
        """Start an upload; return the id that the file will have.

        Raises:
            QuotaExceeded: the owner has too much here already.
        """
        with database_errors():
            await self._check_weight(owner)
            file_id, now = new_file_id(), self._clock.now()
            over_at = now + timedelta(seconds=UPLOAD_S)
            # PostgreSQL keeps no NUL, which a header of a form may have.
            name = filename.replace("\0", "\ufffd")[:_LONGEST_NAME]
            await self._store.begin(owner, file_id, name, now, over_at)
        return file_id

    async def add_part(self, owner: Owner, file_id: str, number: int, content: bytes) -> None:
        """Append a part.

        Raises:
            Conflict: it is not the next.
            InvalidRequest: the file becomes too large.
            QuotaExceeded: all files of the owner together do.
        """
        sealed = await sealed_up(self._sealing, file_id, number, content)
        with database_errors():
            size = await self._store.add_part(owner, file_id, number, len(content), sealed)
            if size is None:
                raise Conflict(ErrorReason.CONFLICT, "This is not the next part of an upload.", param="number")
            if size > self._settings.file_mb * MEGABYTE:
                text = f"The file is larger than {self._settings.file_mb} MB (field `file`)."
                raise InvalidRequest(ErrorReason.PAYLOAD_TOO_LARGE, text, param="file")
            await self._check_weight(owner)

    async def _check_weight(self, owner: Owner) -> None:
        most = self._settings.owner_mb
        if await self._store.weight(owner.user_id) > most * MEGABYTE:
            text = f"Your files are larger than {most} MB together: delete some (DELETE /v1/files/{{id}})."
            raise QuotaExceeded(ErrorReason.QUOTA_EXCEEDED, text)

    async def complete(self, owner: Owner, file_id: str, purpose: str, expires_after_s: int) -> StoredFile:
        """End an upload; `expires_after_s` of 0: it is kept as long as files are.

        Raises:
            InvalidRequest: the purpose is none of ours.
            NotFound: there is no such upload.
        """
        if purpose != Purpose.BATCH:
            text = "Files are taken for batches only: send `batch` (field `purpose`)."
            raise invalid_parameter("purpose", text)
        longest = timedelta(days=self._settings.kept_days)
        kept = min(longest, timedelta(seconds=expires_after_s)) if expires_after_s else longest
        with database_errors():
            return _found(await self._store.complete(owner, file_id, purpose, self._clock.now() + kept))

    async def find(self, owner: Owner, file_id: str) -> StoredFile:
        """Return what is known of a file.

        Raises:
            NotFound: there is none, or it is another's.
        """
        with database_errors():
            return _found(await self._store.find(owner, file_id, self._clock.now()))

    async def read_part(self, owner: Owner, file_id: str, number: int) -> bytes:
        """Return a part of a file.

        Raises:
            NotFound: there is none, or it is another's.
        """
        await self.find(owner, file_id)
        with database_errors():
            sealed = _found(await self._store.read_part(file_id, number))
        return await opened(self._sealing, file_id, number, sealed)

    async def page(self, owner: Owner, purpose: str, page: Page) -> tuple[list[StoredFile], bool]:
        """Return a page of the owner's files, and whether there are more.

        Raises:
            NotFound: the page begins after a file that is none of theirs.
        """
        if page.after:
            await self.find(owner, page.after)
        with database_errors():
            found = await self._store.page(owner, purpose, page, self._clock.now())
        return found[: page.limit], len(found) > page.limit

    async def remove(self, owner: Owner, file_id: str) -> None:
        """Delete a file, or an upload that broke off.

        Raises:
            NotFound: there is none, or it is another's.
        """
        with database_errors():
            if not await self._store.remove(owner, file_id):
                raise no_such_file()


T = TypeVar("T")


def _found(value: T | None) -> T:
    if value is None:
        raise no_such_file()
    return value


def no_such_file() -> NotFound:
    """Return the refusal of an id that names no file of the caller's."""
    return NotFound(ErrorReason.NOT_FOUND, "There is no such file.", param="file_id")
