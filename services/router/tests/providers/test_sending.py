"""What is posted past aiohttp's session keeps the session's manners."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing

import pytest
from yarl import URL

from servicekit.errors import ErrorReason, ServiceError
from servicekit.testing.accepting import accepting
from services.router.providers.transport.http import open_http
from services.router.tests.adapters import LONG_S, PATIENT

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def listening(answer: Answer) -> AsyncIterator[URL]:
    """Yield the address of a server that answers so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await answer(reader, writer)

    async with accepting(serve) as port:
        yield URL(f"http://127.0.0.1:{port}/a%20b?c=d")


async def test_a_request_is_whole_and_says_who_asks() -> None:
    """Path and query as they were given, the host with its port, the length, no compression, and what a caller adds."""
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(4))
        writer.write(OK)

    async with listening(answer) as url, open_http(PATIENT) as http:
        reply = await http.post(url, b"body", {"Content-Type": "text/plain", "X-Own": "1"})

    head, body = seen[0].split(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert (reply.status, reply.body, body) == (200, b"ok", b"body")
    assert first == "POST /a%20b?c=d HTTP/1.1"
    assert headers == {
        "Host": f"127.0.0.1:{url.port}",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "User-Agent": "razvilka/1.1",
        "Content-Type": "text/plain",
        "X-Own": "1",
        "Content-Length": "4",
    }


async def test_heads_that_only_announce_the_answer_are_passed_over() -> None:
    """100 and 103 are no answers."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)

    async with listening(answer) as url, open_http(PATIENT) as http:
        reply = await http.post(url, b"body", {})

    assert (reply.status, reply.body) == (200, b"ok")


async def test_an_answer_that_comes_before_the_question_has_left_costs_the_connection() -> None:
    """What is left of a long body would be taken for the next request."""
    connections: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(str(writer.get_extra_info("peername")))
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            if len(connections) > 1:
                return
            # Nothing more is read, so the rest of the body cannot leave.
            await asyncio.Event().wait()

    async with listening(answer) as url, open_http(PATIENT) as http:
        first = await http.post(url, bytes(30_000_000), {})
        second = await http.post(url, b"body", {})

    assert (first.body, second.body) == (b"ok", b"ok")
    assert len(set(connections)) == 2


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"no HTTP at all\r\n\r\n", ErrorReason.PROVIDER_ERROR),
        (b"HTTP/1.1 200 OK\r\nContent-Le", ErrorReason.PROVIDER_UNAVAILABLE),
        (b"", ErrorReason.PROVIDER_UNAVAILABLE),
    ],
    ids=["garbage", "torn", "nothing"],
)
async def test_a_head_that_is_none_is_the_providers_failure(said: bytes, reason: ErrorReason) -> None:
    """Nothing hangs, and nothing of it is used again."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)

    async with listening(answer) as url, open_http(PATIENT) as http:
        with pytest.raises(ServiceError) as caught:
            await http.post(url, b"body", {})

    assert caught.value.reason is reason


async def test_whoever_waits_no_longer_leaves_no_connection_behind() -> None:
    """A call that is cancelled before its answer: the answer must not meet the next one."""
    closed = asyncio.Event()
    asked = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        closed.set()

    async with listening(answer) as url, open_http(PATIENT) as http:
        call = asyncio.ensure_future(http.post(url, b"body", {}))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(LONG_S):
            await closed.wait()


async def test_a_provider_that_hangs_takes_no_connections_of_another() -> None:
    """Calls of one that took them and never answered had filled the pool of all, and nobody was answered."""
    asked = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)

    settings = PATIENT.model_copy(update={"connections": 1})
    async with listening(hang) as hung, listening(answer) as sound, open_http(settings) as http:
        call = asyncio.ensure_future(http.post(hung, b"body", {}))
        await asked.wait()
        async with asyncio.timeout(LONG_S / 2):
            assert (await http.post(sound, b"body", {})).body == b"ok"
        call.cancel()


async def test_an_answer_that_nobody_asked_for_is_nobodys() -> None:
    """Sent behind another's answer, it was what the next caller was told, whatever that one had asked."""
    is_half_read = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not is_half_read.is_set():
            await reader.readuntil(b"first")
            writer.write(OK[:-1])
            await is_half_read.wait()
            writer.write(OK[-1:] + OK.replace(b"ok", b"no"))
        while await reader.read(4096):
            writer.write(OK)

    async with listening(answer) as url, open_http(PATIENT) as http:
        with closing(await http.open(url, b"first", {})) as reply:
            begun = await reply.read()
            is_half_read.set()
            first = begun + await reply.body()
        other = await http.post(url, b"other", {})

    assert (first, other.body) == (b"ok", b"ok")
