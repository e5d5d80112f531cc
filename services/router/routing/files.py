"""Use cases for files made by models: each is available to its owner only."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from services.router.domain.file_id import FileIds
from services.router.domain.kept_file import KeptFile
from services.router.providers import failures
from services.router.providers.provider import FileStore


class FileService:
    """Finds files by the ids in answers."""

    def __init__(self, store: Callable[[], FileStore], ids: FileIds) -> None:
        # Asked each time: a provider with a new key is another one.
        self._store = store
        self._ids = ids

    async def get(self, owner: str, file_id: str, *, with_content: bool) -> KeptFile:
        """Return a file.

        Raises:
            NotFound: there is none, or it is another's.
        """
        file = self._own(owner, file_id)
        return await (self._store().content(file) if with_content else self._store().describe(file))

    async def delete(self, owner: str, file_id: str) -> None:
        """Delete a file.

        Raises:
            NotFound: there is none, or it is another's.
        """
        await self._store().delete(self._own(owner, file_id))

    def _own(self, owner: str, file_id: str) -> UUID:
        file = self._ids.decode(owner, file_id)
        if file is None:
            raise failures.no_such_file()
        return file
