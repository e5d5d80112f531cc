"""Adapters against an emulator, and short ways to ask them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis

from emulator.testing import GIGACHAT_CREDENTIALS, OPENAI_API_KEY, YANDEX_API_KEY, YANDEX_FOLDER, RunningEmulator
from servicekit import lifecycle, redis
from servicekit.clock import SystemClock
from servicekit.settings import GrpcSettings, PostgresSettings, RedisSettings
from services.router.catalog.build import build_catalog
from services.router.catalog.document import UpstreamEntry
from services.router.catalog.files import CatalogFiles
from services.router.domain.catalog import Catalog, Model
from services.router.domain.completion import Answer, Batch, FinishReason, Message, Prompt, Role, Usage
from services.router.domain.file_id import FileIds
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers.gigachat.provider import GigaChatProvider
from services.router.providers.gigachat.settings import GigaChatSettings
from services.router.providers.openai_compatible.provider import OpenAICompatibleProvider, Upstream
from services.router.providers.provider import Provider, ProviderCall
from services.router.providers.registry import SECOND_S
from services.router.providers.transport.http import HttpClient, open_http
from services.router.providers.transport.settings import HttpSettings, WebImageSettings
from services.router.providers.transport.web_images import open_web_images
from services.router.providers.yandexgpt.provider import YandexGPTProvider, YandexLines
from services.router.providers.yandexgpt.settings import YandexSettings
from services.router.settings import RouterSettings
from services.router.slots.exchange import RedisExchange
from services.router.slots.lines import SlotLines
from services.router.slots.quota import Quota
from services.router.slots.settings import SlotSettings

IDS = ToolCallIds(b"a key of tests, thirty-two bytes")
FILE_IDS = FileIds(b"another key of tests")
# For tests that wait for a limit, and for all others on a loaded machine.
HASTY = HttpSettings(
    connect_s=60.0, first_token_s=0.25, first_byte_s=0.25, idle_s=0.25, answer_s=0.25, line_kb=512, body_mb=4
)
PATIENT = HttpSettings(connect_s=60.0, first_token_s=60.0, idle_s=60.0, answer_s=120.0, line_kb=512, body_mb=4)
# The longest that a call may take that a test does not mean to see given up.
LONG_S = 60.0
NOBODY_DSN = "postgresql://nobody:nothing@127.0.0.1:1/none"
NOBODY_REDIS = "redis://127.0.0.1:1/0"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


class MemoryDeferred:
    """DeferredCalls within one process."""

    def __init__(self) -> None:
        self.operations: dict[str, str] = {}

    async def find(self, deferral: str) -> str | None:
        return self.operations.get(deferral)

    async def keep(self, deferral: str, operation: str) -> None:
        self.operations[deferral] = operation

    async def forget(self, deferral: str) -> None:
        self.operations.pop(deferral, None)


class MemoryShare:
    """A TokenShare within one process."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.ttls: dict[str, float] = {}
        self.locks: dict[str, str] = {}

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        self.values[key] = value
        self.ttls[key] = ttl_s

    async def lock(self, key: str, owner: str, ttl_s: float) -> bool | None:
        return self.locks.setdefault(key, owner) == owner

    async def unlock(self, key: str, owner: str) -> None:
        if self.locks.get(key) == owner:
            del self.locks[key]


@dataclass(slots=True)
class Adapters:
    """One adapter of each kind, on one emulator."""

    yandex: YandexGPTProvider
    gigachat: GigaChatProvider
    openai: OpenAICompatibleProvider
    http: HttpClient
    share: MemoryShare
    deferred: MemoryDeferred

    def of(self, name: str) -> Provider:
        providers: dict[str, Provider] = {
            "yandexgpt": self.yandex,
            "gigachat": self.gigachat,
            "upstream": self.openai,
        }
        return providers[name]


def yandex_settings(emulator: RunningEmulator, **more: Any) -> YandexSettings:
    given = {
        "api_key": YANDEX_API_KEY,
        "folder_id": YANDEX_FOLDER,
        "base_url": emulator.yandex_url,
        "operations_url": f"{emulator.yandex_url}/operations",
        "operation_poll_s": 0.01,
    }
    return YandexSettings(**{**given, **more})


def gigachat_settings(emulator: RunningEmulator, **more: Any) -> GigaChatSettings:
    given = {
        "credentials": GIGACHAT_CREDENTIALS,
        "base_url": f"{emulator.gigachat_url}/v1",
        "auth_url": emulator.gigachat_auth_url,
        "batch_gather_s": 0.05,
        "batch_poll_s": 0.01,
    }
    return GigaChatSettings(**{**given, **more})


def router_settings(emulator: RunningEmulator, **more: Any) -> RouterSettings:
    given: dict[str, Any] = {
        "grpc": GrpcSettings(port=0, grace_s=1.0),
        "postgres": PostgresSettings(dsn=NOBODY_DSN),
        "redis": RedisSettings(url=NOBODY_REDIS),
        "yandex": yandex_settings(emulator),
        "gigachat": gigachat_settings(emulator),
        "http": PATIENT,
    }
    return RouterSettings(**{**given, **more})


def lonely_lines(tasks: lifecycle.Background, client: Redis) -> SlotLines:
    """Return lines whose Redis is nowhere: a router alone has all of each quota."""
    return SlotLines(RedisExchange(client), tasks, SystemClock(), SlotSettings())


@asynccontextmanager
async def open_adapters(
    emulator: RunningEmulator,
    http_settings: HttpSettings = PATIENT,
    gigachat: dict[str, Any] | None = None,
    **yandex: Any,
) -> AsyncIterator[Adapters]:
    """Yield adapters that give up soon."""
    clock, share, deferred = SystemClock(), MemoryShare(), MemoryDeferred()
    async with (
        open_http(http_settings) as http,
        lifecycle.background(grace_s=1.0) as tasks,
        lifecycle.background() as jobs,
        open_web_images(WebImageSettings()) as images,
        redis.open_redis(RedisSettings(url=NOBODY_REDIS)) as client,
    ):
        lines = lonely_lines(jobs, client)
        of_yandex = YandexLines(embeddings=lines.line("yandexgpt-embeddings", Quota({"folder": 10}, SECOND_S)))
        of_gigachat = gigachat_settings(emulator, **(gigachat or {}))
        upstream = Upstream("upstream", emulator.openai_url, OPENAI_API_KEY, needs_key=True)
        yield Adapters(
            YandexGPTProvider(yandex_settings(emulator, **yandex), http, IDS, clock, deferred, of_yandex),
            GigaChatProvider(of_gigachat, http, IDS, share, tasks, clock, uuid4, images, FILE_IDS, deferred),
            OpenAICompatibleProvider(upstream, http, IDS, clock),
            http,
            share,
            deferred,
        )


UPSTREAM = UpstreamEntry.model_validate(
    {
        "name": "upstream",
        "base_url": "http://127.0.0.1:1/v1",
        "models": [{"id": "toy-large", "window": 8192, "price": {"input": 1, "output": 2}}],
    }
)


def shipped_catalog(now: datetime | None = None) -> Catalog:
    """Return the shipped catalogue with one upstream."""
    return build_catalog(
        CatalogFiles(None, None).read().documents, [UPSTREAM], now or datetime(2026, 11, 23, tzinfo=UTC)
    )


CATALOG = shipped_catalog()


def model(name: str) -> Model:
    found = CATALOG.find(name)
    assert found is not None, name
    return found


# One model of each dialect.
MODELS = {
    "native": model("yandexgpt:latest"),
    "v1": model("aliceai-llm-flash"),
    "gigachat": model("gigachat-max"),
    "upstream": model("toy-large"),
}


def call_for(dialect: str) -> ProviderCall:
    return ProviderCall(MODELS[dialect], "0197-request", {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})


def user(text: str) -> Message:
    return Message(Role.USER, text)


def ask(text: str = "Сколько стоянок на карте?", **more: Any) -> Prompt:
    return Prompt(model="", messages=more.pop("messages", [user(text)]), **more)


@dataclass(slots=True)
class Heard:
    """What a stream said."""

    pieces: list[str] = field(default_factory=list)
    finish: FinishReason | None = None
    calls: list[tuple[str, Any]] = field(default_factory=list)
    usage: Usage | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def hear(batches: list[Batch]) -> Heard:
    heard = Heard()
    for batch in batches:
        heard.usage = batch.usage or heard.usage
        for delta in batch.deltas:
            if delta.content:
                heard.pieces.append(delta.content)
            heard.finish = delta.finish_reason or heard.finish
            heard.calls.extend((call.name, json.loads(call.arguments)) for call in delta.tool_calls)
    return heard


async def listen(provider: Provider, prompt: Prompt, call: ProviderCall) -> Heard:
    """Return what the stream says, to its end."""
    return hear([batch async for batch in provider.stream(prompt, call)])


def said(answer: Answer) -> Heard:
    """Return a whole answer in the same form."""
    choice = answer.choices[0]
    calls = [(call.name, json.loads(call.arguments)) for call in choice.tool_calls]
    return Heard([choice.content] if choice.content else [], choice.finish_reason, calls, answer.usage)


async def obtain(provider: Provider, prompt: Prompt, call: ProviderCall, *, stream: bool) -> Heard:
    """Ask in one of the two ways."""
    return await listen(provider, prompt, call) if stream else said(await provider.complete(prompt, call))


def found(name: str, catalog: Catalog = CATALOG) -> Model:
    model = catalog.find(name)
    assert model is not None, name
    return model


def price_on(model: Model, day: str) -> int:
    timestamp = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return [price for price in model.prices if price.valid_from <= timestamp][-1].input_micro_rub_per_1k
