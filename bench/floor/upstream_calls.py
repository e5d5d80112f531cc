"""The upstream by aiohttp, as the router's client is set up, and no more."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from yarl import URL

from services.router.providers.transport.settings import HttpSettings

SETTINGS: Final = HttpSettings()
WHOLE: Final = aiohttp.ClientTimeout(total=SETTINGS.answer_s, sock_connect=SETTINGS.connect_s, ceil_threshold=3600)
STREAM: Final = aiohttp.ClientTimeout(total=None, sock_connect=SETTINGS.connect_s, ceil_threshold=3600)


class UpstreamCalls:
    """Answers of the upstream, one call each."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, key: str) -> None:
        self._session = session
        self._url = URL(f"{base_url}/chat/completions")
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    async def whole(self, body: bytes) -> bytes:
        """Return the whole answer."""
        async with self._session.post(
            self._url, data=body, headers=self._headers, timeout=WHOLE, allow_redirects=False
        ) as response:
            return await response.content.read()

    async def parts(self, body: bytes) -> AsyncGenerator[bytes, None]:
        """Yield each read of the answer."""
        async with self._session.post(
            self._url, data=body, headers=self._headers, timeout=STREAM, allow_redirects=False
        ) as response:
            while part := await response.content.readany():
                yield part


@asynccontextmanager
async def open_calls(base_url: str, key: str) -> AsyncIterator[UpstreamCalls]:
    """Yield the calls to the upstream at a base address; connections are kept until the block ends."""
    connector = aiohttp.TCPConnector(
        limit=SETTINGS.connections,
        keepalive_timeout=SETTINGS.keepalive_s,
        ttl_dns_cache=60,
        enable_cleanup_closed=False,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity", "User-Agent": "floor"},
        auto_decompress=False,
        trust_env=False,
        read_bufsize=256 * 1024,
    ) as session:
        yield UpstreamCalls(session, base_url, key)
