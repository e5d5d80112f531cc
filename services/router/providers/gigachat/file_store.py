"""GigaChat's `/files`: reads and deletes files by the provider's id."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
from yarl import URL

from servicekit.errors import ServiceError
from services.router.domain.kept_file import KeptFile
from services.router.providers import failures
from services.router.providers.reading import Replies, check
from services.router.providers.transport.authorized import AuthorizedHttp
from services.router.providers.transport.http import Reply

# A message between the services carries no more.
LARGEST: Final = 20 * 1024 * 1024
_JSON: Final = {"Accept": "application/json"}
_MIME: Final = re.compile(r"[a-z]+/[a-z0-9.+-]{1,80}")


class _Described(msgspec.Struct):
    filename: str = ""
    bytes: int = 0
    created_at: int = 0


class GigaChatFiles:
    """The files in our account at GigaChat."""

    def __init__(self, http: AuthorizedHttp, url: URL, replies: Replies) -> None:
        self._http = http
        self._url = url
        self._replies = replies

    async def describe(self, file: UUID) -> KeptFile:
        """Return what is known of a file, without its content.

        Raises:
            NotFound: it is not there (any more).
        """
        reply = await self._read(self._url / str(file), _JSON)
        try:
            found = msgspec.json.decode(reply.body, type=_Described)
            created_at = datetime.fromtimestamp(found.created_at, UTC)
        except (*failures.UNREADABLE, ValueError, OverflowError) as exc:
            raise failures.broken("The provider's answer is malformed.") from exc
        return KeptFile(found.filename, "", found.bytes, created_at)

    async def content(self, file: UUID) -> KeptFile:
        """Return a file's content and what kind it is.

        Raises:
            NotFound: it is not there (any more).
        """
        reply = await self._read(self._url / str(file) / "content", {"Accept": "*/*"})
        if len(reply.body) > LARGEST:
            raise failures.broken_for_good(f"The file is larger than {LARGEST // 1024 // 1024} MB.")
        mime = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        known = mime if _MIME.fullmatch(mime) else "application/octet-stream"
        return KeptFile("", known, len(reply.body), None, reply.body)

    async def delete(self, file: UUID) -> None:
        """Delete a file.

        Raises:
            NotFound: it is not there (any more).
        """
        self._check(await self._http.post(self._url / str(file) / "delete", lambda: b"", _JSON))

    async def _read(self, url: URL, headers: dict[str, str]) -> Reply:
        reply = await self._http.get(url, headers)
        self._check(reply)
        return reply

    def _check(self, reply: Reply) -> None:
        try:
            check(self._replies, reply)
        except ServiceError as exc:
            raise failures.no_such_file() if reply.status == 404 else exc from exc
