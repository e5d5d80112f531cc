"""What the emulator's own tests share: a client session and short ways to ask."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio

from emulator.testing import (
    GIGACHAT_CREDENTIALS,
    GIGACHAT_SCOPE,
    OPENAI_API_KEY,
    YANDEX_API_KEY,
    YANDEX_FOLDER,
    RunningEmulator,
    running_emulator,
)
from emulator.tests.asking import post
from emulator.tests.yandex_services import Services

Ask = Callable[..., Awaitable[tuple[int, Any]]]


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client that gives up after a minute."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield session


@pytest_asyncio.fixture
async def services() -> AsyncIterator[Services]:
    """Return a caller of Yandex's smaller services, whose operations take ten seconds of the test's clock."""
    clock = [1_800_000_000.0]
    async with (
        running_emulator(now=lambda: clock[0], yandex_operation_s=10) as emulator,
        grpc.aio.insecure_channel(emulator.grpc["yandex"]) as channel,
    ):
        yield Services(emulator, clock, channel)


@pytest.fixture
def ask_yandex(emulator: RunningEmulator, http: aiohttp.ClientSession) -> Ask:
    """Return a caller of the native completion method."""

    async def ask(text: str, *, stream: bool = False, options: dict[str, Any] | None = None, **fields: Any) -> Any:
        body = {
            "modelUri": f"gpt://{YANDEX_FOLDER}/yandexgpt/latest",
            "completionOptions": {"stream": stream, **(options or {})},
            "messages": [{"role": "user", "text": text}],
            **fields,
        }
        url = f"{emulator.yandex_url}/foundationModels/v1/completion"
        return await post(http, url, body, {"Authorization": f"Api-Key {YANDEX_API_KEY}"}, stream=stream)

    return ask


@pytest.fixture
def ask_yandex_v1(emulator: RunningEmulator, http: aiohttp.ClientSession) -> Ask:
    """Return a caller of Yandex's /v1/chat/completions."""

    async def ask(text: str, *, model: str = "yandexgpt/latest", stream: bool = False, **fields: Any) -> Any:
        messages = [{"role": "user", "content": text}]
        body = {"model": f"gpt://{YANDEX_FOLDER}/{model}", "messages": messages, "stream": stream, **fields}
        url = f"{emulator.yandex_url}/v1/chat/completions"
        return await post(http, url, body, {"Authorization": f"Bearer {YANDEX_API_KEY}"}, stream=stream)

    return ask


@pytest.fixture
def ask_openai(emulator: RunningEmulator, http: aiohttp.ClientSession) -> Ask:
    """Return a caller of the plain upstream."""

    async def ask(text: str, *, stream: bool = False, **fields: Any) -> Any:
        body = {"model": "toy-large", "messages": [{"role": "user", "content": text}], "stream": stream, **fields}
        url = f"{emulator.openai_url}/chat/completions"
        return await post(http, url, body, {"Authorization": f"Bearer {OPENAI_API_KEY}"}, stream=stream)

    return ask


@pytest.fixture
def gigachat_token(emulator: RunningEmulator, http: aiohttp.ClientSession) -> Callable[..., Awaitable[str]]:
    """Return a function that gets an access token."""

    async def token(key: str = GIGACHAT_CREDENTIALS, scope: str = GIGACHAT_SCOPE) -> str:
        headers = {"Authorization": f"Basic {key}", "RqUID": str(uuid.uuid4())}
        async with http.post(emulator.gigachat_auth_url, data={"scope": scope}, headers=headers) as response:
            assert response.status == 200, await response.text()
            return str((await response.json())["access_token"])

    return token


@pytest.fixture
def ask_gigachat(
    emulator: RunningEmulator, http: aiohttp.ClientSession, gigachat_token: Callable[..., Awaitable[str]]
) -> Ask:
    """Return a caller of GigaChat's v1 chat; a token is got once."""
    kept: list[str] = []

    async def ask(
        text: str,
        *,
        stream: bool = False,
        path: str = "/v1/chat/completions",
        session: str | None = None,
        **fields: Any,
    ) -> Any:
        if not kept:
            kept.append(await gigachat_token())
        body = {
            "model": "GigaChat-2-Max",
            "messages": [{"role": "user", "content": text}],
            "stream": stream,
            **fields,
        }
        headers = {"Authorization": f"Bearer {kept[0]}"} | ({} if session is None else {"X-Session-ID": session})
        return await post(http, f"{emulator.gigachat_url}{path}", body, headers, stream=stream)

    return ask
