"""Tables `files` and `file_parts`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from servicekit.postgres import in_pieces
from services.router.batches.domain.values import Owner, Page, StoredFile
from services.router.store import Connection, Pool

REMOVED_AT_ONCE: Final = 8


class FileStore:
    """Files by owner. Methods raise what is in UNUSABLE."""

    def __init__(self, pool: Pool | Connection) -> None:
        self._pool = pool

    BEGIN_FILE: Final = """
INSERT INTO router.files (id, owner, application, filename, purpose, size_bytes, parts, created_at, expires_at)
VALUES ($1, $2, $3, $4, '', 0, 0, $5, $6)
"""

    async def begin(self, owner: Owner, file_id: str, filename: str, now: datetime, expires_at: datetime) -> None:
        """Start a file that nobody sees yet."""
        await self._pool.execute(self.BEGIN_FILE, file_id, owner.user_id, owner.application, filename, now, expires_at)

    ADD_PART: Final = """
WITH grown AS (
    UPDATE router.files
    SET size_bytes = size_bytes + $5, parts = parts + 1
    WHERE id = $1 AND owner = $2 AND application = $3 AND purpose = '' AND parts = $4
    RETURNING id, size_bytes
), kept AS (
    INSERT INTO router.file_parts (file_id, number, sealed)
    SELECT id, $4, $6
    FROM grown
)
SELECT size_bytes
FROM grown
"""

    async def add_part(self, owner: Owner, file_id: str, number: int, size_bytes: int, sealed: bytes) -> int | None:
        """Append a part; return the size of the file by now, None: it is not the next part of such a file."""
        return _as_int(
            await self._pool.fetchval(
                self.ADD_PART, file_id, owner.user_id, owner.application, number, size_bytes, sealed
            )
        )

    COMPLETE_FILE: Final = """
UPDATE router.files
SET purpose = $4, expires_at = $5
WHERE id = $1 AND owner = $2 AND application = $3 AND purpose = ''
RETURNING id, filename, purpose, size_bytes, parts, created_at, expires_at
"""

    async def complete(self, owner: Owner, file_id: str, purpose: str, expires_at: datetime) -> StoredFile | None:
        """End an upload; None: there is none."""
        row = await self._pool.fetchrow(
            self.COMPLETE_FILE, file_id, owner.user_id, owner.application, purpose, expires_at
        )
        return _file_or_none(row)

    WEIGH_FILES: Final = """
SELECT coalesce(sum(greatest(size_bytes, 65536)), 0)::bigint
FROM router.files
WHERE owner = $1
"""

    async def weight(self, user_id: str) -> int:
        """Return the bytes of all files of a user, each at least 64 KiB: many small ones are much too."""
        return _as_int(await self._pool.fetchval(self.WEIGH_FILES, user_id)) or 0

    FIND_FILE: Final = """
SELECT id, filename, purpose, size_bytes, parts, created_at, expires_at
FROM router.files
WHERE id = $1 AND owner = $2 AND application = $3 AND purpose <> '' AND expires_at > $4
"""

    async def find(self, owner: Owner, file_id: str, now: datetime) -> StoredFile | None:
        """Return a file, None when there is none."""
        return _file_or_none(await self._pool.fetchrow(self.FIND_FILE, file_id, owner.user_id, owner.application, now))

    READ_PART: Final = """
SELECT sealed
FROM router.file_parts
WHERE file_id = $1 AND number = $2
"""

    async def read_part(self, file_id: str, number: int) -> bytes | None:
        """Return a sealed part of a file that was found."""
        found: bytes | None = await self._pool.fetchval(self.READ_PART, file_id, number)
        return found

    LIST_FILES: Final = """
SELECT f.id, f.filename, f.purpose, f.size_bytes, f.parts, f.created_at, f.expires_at
FROM router.files AS f
LEFT JOIN router.files AS a ON a.id = $5
WHERE f.owner = $1 AND f.application = $2 AND f.purpose <> '' AND f.expires_at > $3
    AND ($4 = '' OR f.purpose = $4)
    AND ($5 = '' OR (f.created_at, f.id) < (a.created_at, a.id))
ORDER BY f.created_at DESC, f.id DESC
LIMIT $6
"""

    LIST_OLDEST_FIRST: Final = """
SELECT f.id, f.filename, f.purpose, f.size_bytes, f.parts, f.created_at, f.expires_at
FROM router.files AS f
LEFT JOIN router.files AS a ON a.id = $5
WHERE f.owner = $1 AND f.application = $2 AND f.purpose <> '' AND f.expires_at > $3
    AND ($4 = '' OR f.purpose = $4)
    AND ($5 = '' OR (f.created_at, f.id) > (a.created_at, a.id))
ORDER BY f.created_at, f.id
LIMIT $6
"""

    async def page(self, owner: Owner, purpose: str, page: Page, now: datetime) -> list[StoredFile]:
        """Return a page of files and one more, if there is one."""
        query = self.LIST_OLDEST_FIRST if page.oldest_first else self.LIST_FILES
        rows = await self._pool.fetch(query, owner.user_id, owner.application, now, purpose, page.after, page.limit + 1)
        return [_file(row) for row in rows]

    REMOVE_FILE: Final = """
DELETE FROM router.files
WHERE id = $1 AND owner = $2 AND application = $3
"""

    async def remove(self, owner: Owner, file_id: str) -> bool:
        """Delete a file with its parts, or an upload that broke off; tell whether there was one."""
        told = await self._pool.execute(self.REMOVE_FILE, file_id, owner.user_id, owner.application)
        return bool(told != "DELETE 0")

    # What another router deletes just now is left to it.
    REMOVE_EXPIRED: Final = """
DELETE FROM router.files
WHERE id IN (
    SELECT id
    FROM router.files
    WHERE expires_at <= $1
    ORDER BY expires_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
"""

    async def remove_expired(self, now: datetime) -> None:
        """Delete what is over, so many with a statement: each has its time, and a file may have 100 MB."""
        await in_pieces(self._pool, self.REMOVE_EXPIRED, now, most=REMOVED_AT_ONCE)


def _as_int(value: Any) -> int | None:
    return None if value is None else int(value)


def _file(row: Any) -> StoredFile:
    return StoredFile(**dict(row))


def _file_or_none(row: Any) -> StoredFile | None:
    return None if row is None else _file(row)
