"""Requests over aiohttp's connections; what is posted as bytes goes without what aiohttp's session does around it.

The session looks for redirects, cookies, proxies, passwords and traces, makes a dozen objects, and writes in a task of
its own, a turn of the event loop later: of a whole answer a tenth of the router's work, and nothing of it is wanted.
Pool, TLS, names, parser and errors are aiohttp's in any case.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import BaseConnector, Connection
from aiohttp.hdrs import CONTENT_LENGTH
from aiohttp.http import HttpProcessingError, RawResponseMessage, StreamWriter
from yarl import URL

# Where bodies are posted to is in the settings: a few addresses a provider.
_ADDRESSES: Final = 256
_SWITCHING_PROTOCOLS: Final = 101


class PostedResponse:
    """A response whose body is still arriving; when it ends, the connection returns to the pool."""

    __slots__ = ("_connection", "content", "headers", "status")

    def __init__(self, connection: Connection, head: RawResponseMessage, content: aiohttp.StreamReader) -> None:
        self.status = head.code
        self.headers = head.headers
        self.content = content
        self._connection: Connection | None = connection
        content.on_eof(self._ended)

    @property
    def closed(self) -> bool:
        """Whether the body has ended, or the connection was given up."""
        return self._connection is None

    def close(self) -> None:
        """Give the connection up; whoever reads the body hears of it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self.content.exception() is None:
            self.content.set_exception(aiohttp.ClientConnectionError("Connection closed"))
        connection.close()

    def _ended(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if connection.protocol is not None and connection.protocol.writing_paused:
            # Answered before it was asked to the end: what is left of the question would stand before the next one.
            connection.close()
        else:
            connection.release()


Response: TypeAlias = aiohttp.ClientResponse | PostedResponse


class Sending:
    """Sends requests over one session's connections.

    Args:
        session: whose they are; what it says of itself in every request is said in ours, too.
        timeout: of the connection only; all else is for the caller to time.
        read_bytes: how much of a body may wait here until it is read.
    """

    def __init__(self, session: aiohttp.ClientSession, timeout: aiohttp.ClientTimeout, read_bytes: int) -> None:
        self._session = session
        self._timeout = timeout
        self._read_bytes = read_bytes
        self._address = lru_cache(_ADDRESSES)(self._addressed)

    def request(
        self, method: str, url: URL, data: Any, headers: Mapping[str, str], tls: ssl.SSLContext | bool
    ) -> Awaitable[Response]:
        """Send anything and return the answer as soon as it begins; fails as `post` does."""
        # Without a body files are deleted, each at an address of its own.
        if method == "POST" and isinstance(data, bytes) and data:
            return self.post(url, data, headers, tls)
        return self._session.request(
            method, url, data=data, headers=headers, timeout=self._timeout, ssl=tls, allow_redirects=False
        )

    async def post(
        self, url: URL, body: bytes, headers: Mapping[str, str], tls: ssl.SSLContext | bool
    ) -> PostedResponse:
        """Send `body`, whose type is among `headers`, and return the answer as soon as it begins.

        Raises:
            aiohttp.ClientError, OSError, ValueError: no answer came.
        """
        address = self._address(url, tls)
        connection = await self._connected(address)
        protocol = connection.protocol
        try:
            if protocol is None:
                raise aiohttp.ServerDisconnectedError
            protocol.set_response_params(read_until_eof=True, auto_decompress=False, read_bufsize=self._read_bytes)
            await _write(address, headers, body, protocol)
            head, content = await _head(protocol)
        except BaseException:
            connection.close()
            raise
        return PostedResponse(connection, head, content)

    def _addressed(self, url: URL, tls: ssl.SSLContext | bool) -> aiohttp.ClientRequest:
        """Return what says to whom to connect, and what stands in the head of every request; it is never sent."""
        return aiohttp.ClientRequest("POST", url, headers=self._session.headers, ssl=tls, session=self._session)

    async def _connected(self, address: aiohttp.ClientRequest) -> Connection:
        connector: BaseConnector | None = self._session.connector
        if connector is None:
            raise aiohttp.ClientConnectionError("The session is closed.")
        try:
            return await connector.connect(address, [], self._timeout)
        except TimeoutError as exc:
            raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {address.url}") from exc


async def _write(
    address: aiohttp.ClientRequest, headers: Mapping[str, str], body: bytes, protocol: ResponseHandler
) -> None:
    """Write all in one piece. Nothing waits here: the answer may come before the last byte has left."""
    said = address.headers.copy()
    said.update(headers)
    said[CONTENT_LENGTH] = str(len(body))
    writer = StreamWriter(protocol, address.loop)
    await writer.write_headers(f"POST {address.url.raw_path_qs} HTTP/1.1", said)
    await writer.write(body, drain=False)


async def _head(protocol: ResponseHandler) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
    """Return the head of the answer, after any that only announce it, and its body."""
    try:
        head, content = await protocol.read()
        while 100 <= head.code < 200 and head.code != _SWITCHING_PROTOCOLS:
            head, content = await protocol.read()
    except HttpProcessingError as exc:
        raise aiohttp.ClientError("The head of the answer cannot be read.") from exc
    return head, content
