"""Another provider's answers take no memory and no time but what an honest one does."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from aiohttp import web
from authlib.integrations.httpx_client import AsyncOAuth2Client

from services.auth.accounts.login.bounded_answers import MAX_ANSWER, UNPACKED, bounded

# Both are used: which library the second one is made of, whatever is installed says.
CLIENTS = [httpx.AsyncClient, AsyncOAuth2Client]
New = Callable[..., Any]


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """The address of a server that answers in several ways."""

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b"x" * 65536)

    async def long(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * (MAX_ANSWER + 1))

    async def packed(_: web.Request) -> web.StreamResponse:
        return web.Response(body=gzip.compress(b" " * 10 * MAX_ANSWER), headers={"Content-Encoding": "gzip"})

    async def honest(request: web.Request) -> web.StreamResponse:
        return web.json_response({"asked": request.headers["Accept-Encoding"]})

    app = web.Application()
    handlers = (endless, long, packed, honest)
    app.add_routes([web.get(f"/{handler.__name__}", handler) for handler in handlers])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def client_of(new: New) -> Any:
    return new(headers=UNPACKED, event_hooks={"response": [bounded]}, timeout=10)


@pytest.mark.parametrize("new", CLIENTS)
@pytest.mark.parametrize("path", ["endless", "long", "packed"])
async def test_an_answer_that_is_too_long_or_packed_is_not_read(address: str, new: New, path: str) -> None:
    """A provider could fill auth's memory: its answer was read to its end, and unpacked, before anybody looked."""
    async with client_of(new) as client:
        with pytest.raises(ValueError, match=r"too long|packed"):
            await client.request("GET", f"{address}/{path}", **_without_token(new))


@pytest.mark.parametrize("new", CLIENTS)
async def test_an_honest_answer_is_read_as_ever(address: str, new: New) -> None:
    """And asked for as it is."""
    async with client_of(new) as client:
        answer = await client.request("GET", f"{address}/honest", **_without_token(new))
        again = await client.request("GET", f"{address}/honest", **_without_token(new))

    assert answer.json() == again.json() == {"asked": "identity"}


def _without_token(new: New) -> dict[str, Any]:
    return {"withhold_token": True} if new is AsyncOAuth2Client else {}
