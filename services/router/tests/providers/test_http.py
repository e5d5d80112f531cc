"""The HTTP client's trust and manners."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import web
from yarl import URL

from emulator.testing import running_emulator
from servicekit import lifecycle
from servicekit.clock import SystemClock
from servicekit.errors import ErrorReason, ServiceError
from servicekit.testing.accepting import accepting
from services.router.domain.completion import Prompt
from services.router.providers.gigachat.provider import GigaChatProvider
from services.router.providers.gigachat.settings import GigaChatSettings
from services.router.providers.openai_compatible.provider import OpenAICompatibleProvider, Upstream
from services.router.providers.provider import Provider
from services.router.providers.transport import http as transport
from services.router.providers.transport.http import open_http
from services.router.providers.transport.settings import WebImageSettings
from services.router.providers.transport.web_images import open_web_images
from services.router.providers.yandexgpt.provider import YandexGPTProvider
from services.router.providers.yandexgpt.settings import YandexSettings
from services.router.tests.adapters import (
    FILE_IDS,
    IDS,
    LONG_S,
    PATIENT,
    MemoryDeferred,
    MemoryShare,
    ask,
    call_for,
    gigachat_settings,
    obtain,
    yandex_settings,
)


async def test_the_russian_authority_counts_for_its_hosts_only(tmp_path: Path) -> None:
    """GigaChat's bundle opens GigaChat; the same server under another provider's name stays closed."""
    async with (
        running_emulator(tls=True, tls_dir=tmp_path) as emulator,
        open_http(PATIENT) as http,
        lifecycle.background() as tasks,
        open_web_images(WebImageSettings()) as images,
    ):

        def gigachat(**more: Path) -> GigaChatProvider:
            settings: GigaChatSettings = gigachat_settings(
                emulator,
                base_url=f"{emulator.tls['gigachat']}/v1",
                auth_url=f"{emulator.tls['gigachat_auth']}/api/v2/oauth",
                **more,
            )
            return GigaChatProvider(
                settings, http, IDS, MemoryShare(), tasks, SystemClock(), uuid4, images, FILE_IDS, MemoryDeferred()
            )

        trusting = gigachat(ca_bundle=Path(emulator.ca_path))
        yandex = YandexGPTProvider(
            yandex_settings(emulator, base_url=emulator.tls["yandex"]), http, IDS, SystemClock(), MemoryDeferred()
        )

        assert (await obtain(trusting, ask("[[text:да]]"), call_for("gigachat"), stream=True)).text == "да"
        for provider, dialect in ((gigachat(), "gigachat"), (yandex, "native")):
            with pytest.raises(ServiceError, match="certificate") as caught:
                await obtain(provider, ask(), call_for(dialect), stream=False)
            assert caught.value.reason is ErrorReason.PROVIDER_UNAVAILABLE


async def test_connections_are_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole answers and streams read to their end give their connection back; others' are closed."""
    # How long a moment is: on a busy machine the end comes later.
    monkeypatch.setattr(transport, "LINGER_S", LONG_S)
    peers: list[str] = []
    may_end = asyncio.Event()
    may_end.set()

    async def answer(request: web.Request) -> web.StreamResponse:
        peers.append(str(request.transport.get_extra_info("peername")) if request.transport else "")
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"line\n")
        await may_end.wait()
        return response

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    url = URL(f"http://{host}:{port}/")
    try:
        async with open_http(PATIENT) as http:
            await http.post(url, b"", {})
            may_end.clear()
            with closing(await http.open(url, b"", {})) as reply:
                assert await reply.read() == b"line\n"
                # The end of the body comes a little after its last line, as from a real server.
                asyncio.get_running_loop().call_later(0.01, may_end.set)
                await reply.linger()
            may_end.clear()
            with closing(await http.open(url, b"", {})) as reply:
                assert await reply.read() == b"line\n"
            may_end.set()
            await http.post(url, b"", {})
    finally:
        await runner.cleanup()

    assert peers[0] == peers[1] == peers[2]
    assert peers[3] != peers[2]


async def sent_to_providers(prompt: Prompt) -> list[web.Request]:
    """Return the requests that a prompt becomes, in two dialects; what they hold is known to be short."""
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response({"error": {"message": "no"}}, status=400)

    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = "http://{}:{}".format(*runner.addresses[0][:2])
    try:
        async with open_http(PATIENT) as http:
            yandex = YandexSettings(api_key="key", folder_id="folder", base_url=base)
            upstream = Upstream("upstream", base, "key")
            for provider, dialect in (
                (YandexGPTProvider(yandex, http, IDS, SystemClock(), MemoryDeferred()), "native"),
                (OpenAICompatibleProvider(upstream, http, IDS, SystemClock()), "upstream"),
            ):
                with pytest.raises(ServiceError):
                    await obtain(provider, prompt, call_for(dialect), stream=True)
    finally:
        await runner.cleanup()
    return seen


async def test_no_text_of_a_caller_is_in_address_or_headers() -> None:
    """However much is said and wherever, both stay as short as the settings make them: no provider sees a long one."""
    long = "x" * 200_000

    seen = await sent_to_providers(ask(long, stop=(long,), other_json={"user": f'"{long}"'.encode()}))

    weights = [len(str(each.rel_url)) + sum(len(n) + len(v) for n, v in each.headers.items()) for each in seen]
    assert len(weights) == 2
    assert max(weights) < 4096


async def test_trace_and_request_id_travel_to_the_provider() -> None:
    """Each dialect has its own header for the id; the trace context is W3C's."""
    seen = [each.headers for each in await sent_to_providers(ask())]

    assert [headers["traceparent"] for headers in seen] == [call_for("native").headers["traceparent"]] * 2
    assert (seen[0]["x-client-request-id"], seen[1]["X-Request-ID"]) == ("0197-request", "0197-request")
    assert seen[0]["x-data-logging-enabled"] == "false"
    assert all(headers["Accept-Encoding"] == "identity" for headers in seen)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_long_error_means_what_a_short_one_does(stream: bool) -> None:
    """Some upstreams repeat the request in it, and say what is wrong behind that."""

    async def answer(_: web.Request) -> web.Response:
        error = {
            "input": "слово " * 100_000,
            "message": "maximum context length is 4096",
            "code": "context_length_exceeded",
        }
        return web.json_response({"error": error}, status=400)

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with open_http(PATIENT) as http:
            upstream = Upstream("upstream", "http://{}:{}".format(*runner.addresses[0][:2]), "key")
            provider = OpenAICompatibleProvider(upstream, http, IDS, SystemClock())
            with pytest.raises(ServiceError) as caught:
                await obtain(provider, ask(), call_for("upstream"), stream=stream)
    finally:
        await runner.cleanup()

    assert caught.value.reason is ErrorReason.CONTEXT_LENGTH_EXCEEDED


@asynccontextmanager
async def upstream_that(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[Provider]:
    """Yield a provider whose upstream answers so."""
    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with open_http(PATIENT) as http:
            upstream = Upstream("upstream", "http://{}:{}".format(*runner.addresses[0][:2]), "key")
            yield OpenAICompatibleProvider(upstream, http, IDS, SystemClock())
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, ErrorReason.INVALID_PARAMETERS),
        (401, ErrorReason.PROVIDER_CREDENTIALS),
        (429, ErrorReason.PROVIDER_RATE_LIMITED),
        (200, ErrorReason.PROVIDER_ERROR),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_an_error_whose_body_is_packed_means_what_its_status_says(
    stream: bool, status: int, reason: ErrorReason
) -> None:
    """Proxies pack their pages whatever is asked for: a refused key was a failure that passes, and tried again."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=gzip.compress(b"<html>"), headers={"Content-Encoding": "gzip"})

    async with upstream_that(answer) as provider:
        with pytest.raises(ServiceError) as caught:
            await obtain(provider, ask(), call_for("upstream"), stream=stream)

    assert caught.value.reason is reason


@pytest.mark.parametrize("pieces", [1, 1000], ids=["byte by byte", "at once"])
async def test_events_under_the_type_of_a_document_are_heard(pieces: int) -> None:
    """And a document under that of events, however the network cuts them."""
    message = {"role": "assistant", "content": "да"}
    end = {"choices": [{"index": 0, "delta": message, "finish_reason": "stop"}]}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    bodies = {
        "application/json": f": hello\n\ndata: {json.dumps(end)}\n\ndata: [DONE]\n\n",
        "text/event-stream": json.dumps(whole),
    }
    heard = {}
    for type_said, body in bodies.items():

        async def answer(request: web.Request, type_said: str = type_said, body: str = body) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": type_said})
            await response.prepare(request)
            for at in range(0, len(body), pieces):
                await response.write(body[at : at + pieces].encode())
                await asyncio.sleep(0)
            return response

        async with upstream_that(answer) as provider:
            heard[type_said] = (await obtain(provider, ask(), call_for("upstream"), stream=True)).text

    assert heard == {"application/json": "да", "text/event-stream": "да"}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_body_that_turns_to_garbage_ends_at_once(stream: bool) -> None:
    """The parser gives the connection up between two reads; whoever waits for the rest must hear of it."""
    is_read = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nline\n\r\n")
        await is_read.wait()
        writer.write(b"no size\r\n")
        await reader.read()
        writer.close()

    async with accepting(answer) as port, open_http(PATIENT) as http:
        url = URL(f"http://127.0.0.1:{port}/")
        if stream:
            with closing(await http.open(url, b"", {})) as reply:
                assert await reply.read() == b"line\n"
                is_read.set()
                with pytest.raises(ServiceError) as caught:
                    await reply.read()
        else:
            asyncio.get_running_loop().call_later(0.05, is_read.set)
            with pytest.raises(ServiceError) as caught:
                await http.post(url, b"", {})

    assert caught.value.reason is ErrorReason.PROVIDER_ERROR
