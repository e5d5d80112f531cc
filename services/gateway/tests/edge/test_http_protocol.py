"""HTTP/1.1 as RFC 9112 has it, over real connections: one reading of every request, and refusals that arrive."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from servicekit.clock import SystemClock
from servicekit.settings import RedisSettings
from services.gateway.edge.api_cors import ApiCors
from services.gateway.edge.cancellation import Cancellations
from services.gateway.edge.endpoint import Cors
from services.gateway.edge.middleware import Edge
from services.gateway.edge.respond import send_json
from services.gateway.edge.server import http_protocol, lingering
from services.gateway.edge.server.http_server import listening
from services.gateway.edge.server.readiness import Readiness
from services.gateway.settings import GatewaySettings, LimitSettings

MB = 1024 * 1024
HEAD, END = b"POST /echo HTTP/1.1\r\nhost: a\r\n", b"connection: close\r\n\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer what was read: /echo reads the body, /wait takes its time, everything else refuses unread."""
    body = b""
    if scope["path"] == "/echo":
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            if not message["more_body"]:
                break
    if scope["path"] == "/wait":
        await asyncio.sleep(0.05)
    names = sorted(name.decode() for name, _ in scope["headers"])
    said = {"path": scope["path"], "body": body.decode("latin-1"), "headers": names}
    await send_json(send, 200 if scope["path"] in ("/echo", "/wait") else 401, json.dumps(said).encode())


Serve = Callable[..., Any]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Return a starter of servers; keyword arguments are limits. It returns the port."""
    stack: list[Any] = []

    async def start(**limits: Any) -> int:
        redis = RedisSettings(url=SecretStr("redis://127.0.0.1:1"))
        settings = GatewaySettings(port=0, redis=redis, grace_s=0.2, limit=LimitSettings(**limits))
        edge = Edge(app, {}, hsts=False, cors=ApiCors(Cors(())), note_refusal=lambda _: None)
        entered = listening(edge, settings, Readiness({}, SystemClock()), Cancellations(), SystemClock())
        stack.append(entered)
        port: int = await entered.__aenter__()
        return port

    yield start
    for entered in stack:
        await entered.__aexit__(None, None, None)


async def talk(port: int, *parts: bytes) -> bytes:
    """Send the parts, each in a segment of its own, and return everything that comes until the server's end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.01)
    async with asyncio.timeout(30):
        received = await reader.read()
    writer.close()
    return received


def answers(received: bytes) -> list[tuple[int, dict[str, Any]]]:
    """Return status and body of every answer."""
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        length = next(int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: "))
        found.append((int(head[9:12]), json.loads(rest[:length])))
        received = rest[length:]
    return found


SECOND = b"GET /stolen HTTP/1.1\r\nhost: a\r\n\r\n"
UPGRADES = {
    "a protocol nobody knows": b"connection: Upgrade, close\r\nupgrade: foo\r\n",
    "HTTP/2 as curl asks": b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAA\r\n",
    "a websocket": b"connection: close, upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n",
}


@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES.keys())
@pytest.mark.parametrize("pieces", [1, 2])
async def test_an_upgrade_is_ignored_and_the_body_is_no_second_request(
    serve: Serve, upgrade: bytes, pieces: int
) -> None:
    """RFC 9110 7.8. One answer, whose body is the whole body, in whatever segments it came."""
    head = HEAD + upgrade + b"content-length: %d\r\n\r\n" % len(SECOND)
    parts = [head + SECOND] if pieces == 1 else [head, SECOND]

    ((status, said),) = answers(await talk(await serve(), *parts))

    assert (status, said["path"], said["body"].encode()) == (200, "/echo", SECOND)
    assert "upgrade" not in said["headers"]


async def test_an_upgrade_with_chunks_is_ignored_too(serve: Serve) -> None:
    """And what follows on the connection is the next request, not a piece of the other protocol."""
    upgrade = b"connection: upgrade\r\nupgrade: foo\r\ntransfer-encoding: chunked\r\n\r\n"
    rest = b"5\r\nhello\r\n0\r\n\r\n" + HEAD + b"content-length: 3\r\n" + END + b"end"

    said = answers(await talk(await serve(), HEAD + upgrade, rest))

    assert [(status, body["body"]) for status, body in said] == [(200, "hello"), (200, "end")]


REFUSED = {
    "no Host": (b"GET /echo HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (b"GET /echo HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400),
    "an empty Host": (b"GET /echo HTTP/1.1\r\nhost:\r\n\r\n", 400),
    "a Host with a path": (b"GET /echo HTTP/1.1\r\nhost: a/b\r\n\r\n", 400),
    "a Host with a user": (b"GET /echo HTTP/1.1\r\nhost: a@b\r\n\r\n", 400),
    "a Host with a blank": (b"GET /echo HTTP/1.1\r\nhost: a b\r\n\r\n", 400),
    "a Host with a word for a port": (b"GET /echo HTTP/1.1\r\nhost: a:b\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /echo\r\n\r\n", 400),
    "HTTP/2.0": (b"GET /echo HTTP/2.0\r\nhost: a\r\n\r\n", 400),
    "HTTP/1.2": (b"GET /echo HTTP/1.2\r\nhost: a\r\n\r\n", 400),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "chunks in HTTP/1.0": (b"POST /echo HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two codings": (HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "two codings in two lines": (HEAD + b"transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 501),
    "chunks twice": (HEAD + b"transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    "a coding without an end": (HEAD + b"transfer-encoding: gzip\r\n\r\nabc", 400),
    "a tunnel": (b"CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n", 400),
    "a target that is no path": (b"GET * HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    "too many empty lines": (b"\r\n" * 40_000, 400),
    "a chunk extension without an end": (HEAD + b"transfer-encoding: chunked\r\n\r\n5;" + b"a" * 900_000, 400),
    "blanks without an end": (b"GET /echo HTTP/1.1\r\nhost: a\r\nx:" + b" " * 900_000, 431),
}


@pytest.mark.parametrize(("sent", "status"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_rfc_9112_forbids_is_refused(serve: Serve, sent: bytes, status: int) -> None:
    """With our body; the connection ends."""
    ((refused, said),) = answers(await talk(await serve(), sent))

    assert (refused, said["error"]["code"]) == (status, "invalid_request")


TAKEN = {
    "a port": b"GET /wait HTTP/1.1\r\nhost: a.example:8080\r\n",
    "an IPv6 address": b"GET /wait HTTP/1.1\r\nhost: [::1]:8080\r\n",
    "HTTP/1.0 without a Host": b"GET /wait HTTP/1.0\r\n",
    "a whole address": b"GET http://a/wait HTTP/1.1\r\nhost: a\r\n",
    "empty lines before": b"\r\n\r\nGET /wait HTTP/1.1\r\nhost: a\r\n",
}


@pytest.mark.parametrize("sent", TAKEN.values(), ids=TAKEN.keys())
async def test_what_rfc_9112_allows_is_taken(serve: Serve, sent: bytes) -> None:
    """The strict rules refuse nothing that honest clients send."""
    ((status, said),) = answers(await talk(await serve(), sent + END))

    assert (status, said["path"]) == (200, "/wait")


async def test_what_follows_the_body_is_no_header(serve: Serve) -> None:
    """RFC 9110 6.5.1: a trailer could say who calls, after the front proxy judged the headers."""
    sent = HEAD + b"transfer-encoding: chunked\r\n" + END + b"2\r\nhi\r\n0\r\nx-forwarded-for: 1.2.3.4\r\n\r\n"

    ((status, said),) = answers(await talk(await serve(), sent))

    assert (status, said["body"]) == (200, "hi")
    assert "x-forwarded-for" not in said["headers"]


def refusal_of(port: int, body: bytes, head: bytes) -> bytes:
    """Send everything before reading anything, as simple clients do; return the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head)
        connection.sendall(body)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_refusal_arrives_at_who_still_sends(serve: Serve, chunked: bool) -> None:
    """12 MB that nobody reads: the connection is not reset before the answer is read (RFC 9112 9.6)."""
    port, size = await serve(), 12 * MB
    framing = b"transfer-encoding: chunked\r\n\r\n%x\r\n" % size if chunked else b"content-length: %d\r\n\r\n" % size
    head = b"POST /refused HTTP/1.1\r\nhost: a\r\n" + framing

    received = await asyncio.to_thread(refusal_of, port, b"x" * size, head)

    assert [status for status, _ in answers(received)] == [401]
    assert b"connection: close" in received


async def test_a_refusal_of_the_parser_arrives_too(serve: Serve) -> None:
    """431, with megabytes behind it."""
    head = b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 40_000

    received = await asyncio.to_thread(refusal_of, await serve(), b"a" * (4 * MB), head)

    assert [status for status, _ in answers(received)] == [431]


async def test_lingering_has_an_end(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """By bytes: who sends on for ever is cut."""
    monkeypatch.setattr(lingering, "LINGER_BYTES", MB)
    head = b"POST /refused HTTP/1.1\r\nhost: a\r\ncontent-length: 999999999\r\n\r\n"
    port = await serve()

    with pytest.raises(ConnectionError):
        await asyncio.to_thread(refusal_of, port, b"x" * (64 * MB), head)


async def test_the_rest_of_a_small_refused_body_must_come_soon(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection stays for its next request; a trickle does not keep it."""
    port = await serve()
    head = b"POST /refused HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n"

    monkeypatch.setattr(http_protocol, "REST_S", 60.0)
    whole = answers(await talk(port, head, b"hello" + HEAD + b"content-length: 2\r\n" + END + b"hi"))
    monkeypatch.setattr(http_protocol, "REST_S", 0.1)
    trickled = answers(await talk(port, head, b"h"))

    assert [status for status, _ in trickled] == [401]
    assert [(status, said["path"]) for status, said in whole] == [(401, "/refused"), (200, "/echo")]


async def test_a_body_is_asked_for_when_it_is_wanted(serve: Serve) -> None:
    """`Expect: 100-continue`: 100 where the body is read, and the connection ends where it is not."""
    port = await serve()
    expect = b"expect: 100-continue\r\ncontent-length: 5\r\n"

    read = await talk(port, HEAD + expect + END, b"hello")
    unread = await talk(port, b"POST /refused HTTP/1.1\r\nhost: a\r\n" + expect + b"\r\n")

    assert read.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
    assert unread.startswith(b"HTTP/1.1 401")
    assert b"connection: close" in unread


async def test_nonsense_behind_a_request_does_not_overtake_its_answer(serve: Serve) -> None:
    """The refusal of the second comes second: a client counts answers."""
    sent = b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\nnonsense\r\n\r\n"

    statuses = [status for status, _ in answers(await talk(await serve(), sent))]

    assert statuses == [200, 400]


async def test_a_body_that_turns_out_to_be_none_is_answered_once(serve: Serve) -> None:
    """A bad chunk ends the request that is being read."""
    head = HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"

    statuses = [status for status, _ in answers(await talk(await serve(), head, b"zz\r\n"))]

    assert statuses == [400]


@pytest.mark.parametrize("sent", [b"GET / HT", b"\r\n", b"GET / HTTP/1.1\r\nhost: a\r\nx: "])
async def test_headers_that_trickle_are_answered(serve: Serve, sent: bytes) -> None:
    """408, also for empty lines only."""
    ((status, _),) = answers(await talk(await serve(header_s=0.1), sent))

    assert status == 408


async def test_empty_lines_do_not_keep_a_connection(serve: Serve) -> None:
    """Between two requests the time for the next head runs from the first byte, not from the last."""
    first = b"GET /refused HTTP/1.1\r\nhost: a\r\n\r\n"

    statuses = [status for status, _ in answers(await talk(await serve(header_s=0.3), first, b"\r\n", b"\r\n"))]
    assert statuses == [401, 408]


async def test_one_address_cannot_have_all_connections(serve: Serve) -> None:
    """429 at once; when another ends there is room again."""
    port = await serve(connections_per_address=1)
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    await _answered(port, 429)
    writer.close()
    await _answered(port, 200)


async def _answered(port: int, status: int) -> None:
    async with asyncio.timeout(20):
        while answers(await talk(port, b"GET /wait HTTP/1.1\r\nhost: a\r\n" + END))[0][0] != status:
            await asyncio.sleep(0.01)
