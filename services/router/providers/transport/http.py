"""The router's HTTP client: pooled, limited in time and size, without redirects or decompression."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver
from msgspec import Struct
from multidict import CIMultiDictProxy
from yarl import URL

from servicekit.errors import ServiceError
from servicekit.multiplex.loop_lag import LoopLag
from servicekit.outbound.public_addresses import PlaintextPolicy, UpstreamResolver
from services.router.providers import failures
from services.router.providers.transport.connector import BodyEndingConnector
from services.router.providers.transport.credentials import AUTHORIZATION
from services.router.providers.transport.http_failures import check_encoding, translate
from services.router.providers.transport.names import RememberingResolver
from services.router.providers.transport.sending import Response, Sending
from services.router.providers.transport.settings import HttpSettings

# The end of a chunked body comes right after its last event, or the connection is not worth keeping.
LINGER_S: Final = 0.1
# A token or a deletion takes milliseconds; whoever waits for it has other things to do.
SHORT_CALL_S: Final = 10.0
# Of a body, before it is read.
READ_BYTES: Final = 256 * 1024


class Reply(Struct, frozen=True):
    """A complete answer."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    authorization: str = ""
    """By which header it was asked for; no failure may repeat it."""

    @property
    def ok(self) -> bool:
        """Whether the status is 200."""
        return self.status == 200

    def close(self) -> None:
        """Do nothing: a reply that was read is at its end, its connection in the pool."""


class OpenReply:
    """An answer whose body is still arriving, with a timeout on silence.

    One timer looks every `idle_s` whether an event has arrived since; the client's own read timer starts anew with
    every byte, which costs more and lets one byte a second keep a dead stream open for ever.
    """

    __slots__ = (
        "_body_bytes",
        "_content",
        "_event_at",
        "_idle_s",
        "_lag",
        "_loop",
        "_read_at",
        "_response",
        "_timed_out",
        "_timer",
        "authorization",
        "headers",
        "line_bytes",
        "status",
    )

    def __init__(self, response: Response, settings: HttpSettings, lag: LoopLag, authorization: str = "") -> None:
        self.authorization = authorization
        self._body_bytes = settings.body_mb * 1024 * 1024
        self.line_bytes = settings.line_kb * 1024
        self.status = response.status
        self.headers = response.headers
        self._response = response
        self._content = response.content
        self._idle_s = settings.idle_s
        self._lag = lag
        self._loop = asyncio.get_running_loop()
        self._read_at: float | None = None
        self._event_at = self._loop.time()
        self._timed_out = False
        self._timer = self._loop.call_later(settings.idle_s, self._look)
        lag.begin(self)

    @property
    def ok(self) -> bool:
        """Whether the status is 200."""
        return self.status == 200

    async def read(self) -> bytes:
        """Return what has arrived, waiting for the first byte of it; empty at the end of the body.

        Raises:
            ServiceError: the connection broke, or was idle too long.
        """
        try:
            chunk = await self._content.readany()
            # What comes first never waits.
            if self._read_at is not None and self._lag.is_behind:
                chunk += await self._next_ones(self._read_at)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as exc:
            if self._timed_out:
                raise failures.slow("The provider stopped sending.") from exc
            raise translate(exc) from exc
        self._read_at = self._loop.time()
        return chunk

    async def _next_ones(self, read_at: float) -> bytes:
        """Return what else comes within `hold_ms` of the last read, for a process that is behind.

        Events that are further apart do not wait: they would gain nothing by it.
        """
        if self._content.is_eof():
            return b""
        await self._lag.hold(read_at)
        # What broke the connection is the next read's to tell: this one has something to give out.
        return self._content.read_nowait() if self._content.exception() is None else b""

    def progressed(self) -> None:
        """Note that a whole event has arrived."""
        self._event_at = self._loop.time()

    def close(self) -> None:
        """Give the connection up. After a body read to its end it is in the pool already."""
        self._lag.end(self)
        self._timer.cancel()
        if not self._response.closed:
            self._response.close()

    def _look(self) -> None:
        silent_s = self._loop.time() - self._event_at
        if silent_s >= self._idle_s:
            self._timed_out = True
            self._response.close()
        else:
            self._timer = self._loop.call_later(self._idle_s - silent_s, self._look)

    async def linger(self) -> None:
        """After the last event: wait a moment for the end of the body, so that the connection can be used again."""
        if self._content.is_eof():
            return
        try:
            async with asyncio.timeout(LINGER_S):
                await self._content.readany()
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return

    async def body(self) -> bytes:
        """Return the whole body of an answer that is no stream.

        Raises:
            ServiceError: it broke off, or is too large.
        """
        return await _read_bounded(self._response, self._body_bytes)

    async def error_body(self) -> bytes:
        """Return the body of an error, as much of it as came: some providers repeat the whole request in it."""
        return await _read_bounded(self._response, self._body_bytes, cut=True)


class HttpClient:
    """The HTTP client of the process; `ssl` is given with each call, so that a CA is trusted for its hosts only."""

    def __init__(self, session: aiohttp.ClientSession, resolver: UpstreamResolver, settings: HttpSettings) -> None:
        self._resolver = resolver
        self._settings = settings
        self._lag = LoopLag(settings.lag_ms / 1000, settings.hold_ms / 1000)
        self._first_byte_s = min(settings.first_byte_s, settings.answer_s)
        # For the connection only: all else is ours to time, and a second timer for each call costs as much again.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_s, ceil_threshold=3600)
        self._sending = Sending(session, timeout, READ_BYTES)

    def post(
        self, url: URL, data: Any, headers: Mapping[str, str], tls: ssl.SSLContext | bool = True
    ) -> Awaitable[Reply]:
        """Send `data` and return the whole answer.

        Raises:
            ServiceError: no answer came, or one that is too large or encoded.
        """
        return self._send("POST", url, data, headers, tls, self._first_byte_s, self._settings.answer_s)

    def get(self, url: URL, headers: Mapping[str, str], tls: ssl.SSLContext | bool = True) -> Awaitable[Reply]:
        """Return what lies at an address; fails as `post` does."""
        return self._send("GET", url, None, headers, tls, self._first_byte_s, self._settings.answer_s)

    def get_briefly(self, url: URL, headers: Mapping[str, str]) -> Awaitable[Reply]:
        """As `get`, for what takes no time: a token of the machine we run on."""
        return self._send("GET", url, None, headers, True, SHORT_CALL_S, SHORT_CALL_S)

    async def _send(
        self,
        method: str,
        url: URL,
        data: Any,
        headers: Mapping[str, str],
        tls: ssl.SSLContext | bool,
        first_byte_s: float,
        whole_s: float,
    ) -> Reply:
        try:
            self._resolver.expect(url)
            whole_at = asyncio.get_running_loop().time() + whole_s
            async with asyncio.timeout(first_byte_s) as deadline:
                response = await self._sending.request(method, url, data, headers, tls)
                deadline.reschedule(whole_at)
                try:
                    check_encoding(response)
                    limit = self._settings.body_mb * 1024 * 1024
                    body = await _read_bounded(response, limit)
                    return Reply(response.status, response.headers, body, headers.get(AUTHORIZATION, ""))
                finally:
                    if not response.closed:  # as one is that was read to its end
                        response.close()
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as exc:
            raise translate(exc) from exc

    def post_briefly(
        self, url: URL, data: Any, headers: Mapping[str, str], tls: ssl.SSLContext | bool
    ) -> Awaitable[Reply]:
        """As `post`, for what takes no time at the provider: tokens, deletions."""
        return self._send("POST", url, data, headers, tls, SHORT_CALL_S, SHORT_CALL_S)

    async def open(
        self, url: URL, data: bytes, headers: Mapping[str, str], tls: ssl.SSLContext | bool = True
    ) -> OpenReply:
        """Send `data` and return the answer as soon as it begins; whoever asked closes it.

        Raises:
            ServiceError: as `post`.
        """
        try:
            self._resolver.expect(url)
            async with asyncio.timeout(self._settings.first_token_s):
                response = await self._sending.post(url, data, headers, tls)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as exc:
            raise translate(exc) from exc
        try:
            check_encoding(response)
        except ServiceError:
            response.close()
            raise
        return OpenReply(response, self._settings, self._lag, headers.get(AUTHORIZATION, ""))


async def _read_bounded(response: Response, limit: int, *, cut: bool = False) -> bytes:
    content = response.content
    pieces: list[bytes] = []
    size = 0
    try:
        while not content.at_eof():
            chunk = await content.readany()
            size += len(chunk)
            if size > limit:
                if cut:
                    break
                raise failures.broken("The provider's answer is too large.")
            pieces.append(chunk)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as exc:
        if cut:
            return b"".join(pieces)
        raise translate(exc) from exc
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


@asynccontextmanager
async def open_http(settings: HttpSettings, names: AbstractResolver | None = None) -> AsyncIterator[HttpClient]:
    """Yield the client; its connections are closed on leaving. `names` looks hosts up instead of the system."""
    remembering = RememberingResolver(names, settings.connect_s)
    resolver = UpstreamResolver(remembering, PlaintextPolicy(settings.networks))
    connector = BodyEndingConnector(
        resolver=resolver,
        limit=0,
        limit_per_host=settings.connections,
        keepalive_timeout=settings.keepalive_s,
        ttl_dns_cache=60,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity", "User-Agent": "razvilka/1.1"},
        auto_decompress=False,
        trust_env=False,
        read_bufsize=READ_BYTES,
    ) as session:
        yield HttpClient(session, resolver, settings)
