"""Providers that repeat in an error which credential they were sent: their callers do not read it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import uuid4

import pytest
from aiohttp import web

from emulator.testing import GIGACHAT_CREDENTIALS, YANDEX_FOLDER
from servicekit import lifecycle
from servicekit.clock import SystemClock
from servicekit.errors import ErrorReason, ServiceError
from services.router.providers.gigachat.provider import GigaChatProvider
from services.router.providers.gigachat.settings import GigaChatSettings
from services.router.providers.openai_compatible.provider import OpenAICompatibleProvider, Upstream
from services.router.providers.provider import Provider
from services.router.providers.transport.http import open_http
from services.router.providers.transport.settings import WebImageSettings
from services.router.providers.transport.web_images import open_web_images
from services.router.providers.yandexgpt.provider import YandexGPTProvider
from services.router.providers.yandexgpt.settings import YandexSettings
from services.router.tests.adapters import (
    FILE_IDS,
    IDS,
    PATIENT,
    MemoryDeferred,
    MemoryShare,
    ask,
    call_for,
    obtain,
)

SECRET: Final = "s-canary/of+letters=-0123456789"
WORDS: Final = {"at the end": "Wrong key: {}", "in the middle": "{} was sent, which is no key", "cut": "." * 480 + "{}"}
STREAM: Final = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
DIALECTS: Final = pytest.mark.parametrize("dialect", ["native", "v1", "gigachat", "upstream"])


@asynccontextmanager
async def repeating(words: str, status: int) -> AsyncIterator[str]:
    """Yield the address of a server that gives out SECRET as a token, and says in each error what it was sent."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/oauth":
            return web.json_response({"access_token": SECRET, "expires_at": 4_000_000_000})
        message = words.format(request.headers["Authorization"])
        error: dict[str, Any] = {"message": message, "code": 400, "httpCode": 400, "param": SECRET}
        body = json.dumps({"status": 400, "message": message, "error": error})
        is_stream = b'"stream":true' in await request.read()
        return web.Response(
            status=status,
            text=f"data: {body}\n\n" if is_stream and "chat/completions" in request.path and status == 200 else body,
            content_type="text/event-stream" if is_stream and status == 200 else "application/json",
        )

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def provider_at(url: str, dialect: str) -> AsyncIterator[Provider]:
    """Yield the adapter of a dialect, whose credential is SECRET."""
    clock = SystemClock()
    async with (
        open_http(PATIENT) as http,
        lifecycle.background() as tasks,
        open_web_images(WebImageSettings()) as images,
    ):
        if dialect == "upstream":
            yield OpenAICompatibleProvider(Upstream("upstream", url, SECRET, needs_key=True), http, IDS, clock)
        elif dialect == "gigachat":
            of_gigachat = GigaChatSettings(credentials=GIGACHAT_CREDENTIALS, base_url=url, auth_url=f"{url}/oauth")
            yield GigaChatProvider(
                of_gigachat, http, IDS, MemoryShare(), tasks, clock, uuid4, images, FILE_IDS, MemoryDeferred()
            )
        else:
            of_yandex = YandexSettings(api_key=SECRET, folder_id=YANDEX_FOLDER, base_url=url)
            yield YandexGPTProvider(of_yandex, http, IDS, clock, MemoryDeferred())


@DIALECTS
@STREAM
@pytest.mark.parametrize("status", [400, 200], ids=["an error", "an error inside a 200"])
@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
async def test_a_credential_that_a_provider_repeats_is_not_told(
    dialect: str, stream: bool, status: int, words: str
) -> None:
    """Every caller could read the key with which the operator pays, or its beginning where a sentence was cut."""
    async with repeating(words, status) as url, provider_at(url, dialect) as provider:
        with pytest.raises(ServiceError) as caught:
            await obtain(provider, ask(), call_for(dialect), stream=stream)

    told = f"{caught.value.message} {caught.value} {caught.value.param}"
    assert caught.value.reason is ErrorReason.INVALID_PARAMETERS
    assert SECRET[:8] not in told
    assert "***" in told


async def test_the_word_in_place_of_a_key_changes_no_sentence() -> None:
    """Servers of one's own take any word for a key; such a word may stand in what they say of a request."""
    async with repeating("The prompt is EMPTY: {}", 400) as url, open_http(PATIENT) as http:
        keyless = Upstream("upstream", url, "EMPTY", needs_key=True)
        provider = OpenAICompatibleProvider(keyless, http, IDS, SystemClock())
        with pytest.raises(ServiceError) as caught:
            await obtain(provider, ask(), call_for("upstream"), stream=False)

    assert str(caught.value) == "The prompt is EMPTY: Bearer EMPTY"
