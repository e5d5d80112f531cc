"""Attempts and the time that the caller has left: the clock is the test's, and so is the provider."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from msgspec.structs import replace

from servicekit import postgres, redis
from servicekit.errors import ErrorReason, ServiceError
from servicekit.settings import PostgresSettings, RedisSettings
from servicekit.testing import FakeClock
from services.router.cache import ChannelCache
from services.router.catalog import build
from services.router.catalog.files import CatalogFiles
from services.router.catalog.live import LiveCatalog
from services.router.circuits.channel import NewsChannel
from services.router.circuits.circuits import Circuits
from services.router.circuits.retries import RetryBudgets
from services.router.circuits.settings import CircuitSettings
from services.router.domain.catalog import Model
from services.router.domain.completion import (
    Answer,
    Batch,
    Choice,
    Delta,
    EmbeddingInput,
    FinishReason,
    Prompt,
    Usage,
    Vectors,
)
from services.router.domain.failure import LONGEST_QUOTA_WAIT_S, QUOTA_ATTEMPTS
from services.router.providers import failures
from services.router.providers.provider import ProviderCall, Traits
from services.router.routing.attempts import Attempts
from services.router.routing.limits import Limits
from services.router.routing.service import RouterService
from services.router.slots.line import SlotLine
from services.router.status.domain.health import HealthTracker
from services.router.status.reporter import StatusReporter
from services.router.status.store import StatusStore
from services.router.store import RouterStore
from services.router.tests.adapters import NOBODY_DSN, NOBODY_REDIS, ask

# Without fallbacks: the only thing left to do after a failure is to wait and try again.
MODEL = "yandexgpt-5.1"
SHIPPED = Path(build.__file__).parent
CALL_S, WISH_S = 3.0, 1.5


class BusyOnce:
    """A provider whose limit is reached at the first calls; each call takes its time on the test's clock."""

    name = "yandexgpt"

    def __init__(self, clock: FakeClock, refusals: int = 1, wish_s: float | None = WISH_S) -> None:
        self.calls = 0
        self.line: SlotLine | None = None
        self._clock = clock
        self._refusals = refusals
        self._wish_s = wish_s

    def traits(self, model: Model) -> Traits:
        return Traits(stop=True, choices=True)

    def tokenizer(self, model: Model) -> None:
        return

    def slots(self, model: Model) -> SlotLine | None:
        return self.line

    def _called(self) -> None:
        self.calls += 1
        self._clock.advance(CALL_S)
        if self.calls <= self._refusals:
            raise failures.rate_limited(self._wish_s)

    async def complete(self, prompt: Prompt, call: ProviderCall) -> Answer:
        self._called()
        return Answer([Choice(0, "да", FinishReason.STOP)], Usage(1, 1))

    async def stream(self, prompt: Prompt, call: ProviderCall) -> AsyncGenerator[Batch, None]:
        self._called()
        yield Batch([Delta(0, "да", finish_reason=FinishReason.STOP)], Usage(1, 1))

    async def embed(self, texts: EmbeddingInput, call: ProviderCall) -> Vectors:
        self._called()
        return Vectors([[1.0]], Usage(1, 0))


class Silent(BusyOnce):
    """A provider that takes the call and never answers."""

    async def complete(self, prompt: Prompt, call: ProviderCall) -> Answer:
        return await self._never()

    async def stream(self, prompt: Prompt, call: ProviderCall) -> AsyncGenerator[Batch, None]:
        await self._never()
        yield Batch([])

    async def embed(self, texts: EmbeddingInput, call: ProviderCall) -> Vectors:
        return await self._never()

    async def _never(self) -> NoReturn:
        self.calls += 1
        await asyncio.Event().wait()
        raise AssertionError


class Broken(BusyOnce):
    """A provider that fails; its calls take no time."""

    def _called(self) -> None:
        self.calls += 1
        raise failures.broken()


class Healthy(BusyOnce):
    """Another provider, that answers at once."""

    name = "gigachat"

    def _called(self) -> None:
        self.calls += 1


@asynccontextmanager
async def service(*providers: BusyOnce, clock: FakeClock, folder: Path | None = None) -> AsyncIterator[RouterService]:
    """Yield the use cases over the providers, without PostgreSQL and Redis."""
    async with (
        postgres.open_pool(PostgresSettings(dsn=NOBODY_DSN)) as pool,
        redis.open_redis(RedisSettings(url=NOBODY_REDIS)) as client,
    ):
        store, board = RouterStore(pool), HealthTracker()
        catalog = LiveCatalog(CatalogFiles(folder, None), store, ChannelCache(client), clock)
        rng, settings = random.Random(1), CircuitSettings()
        circuits, retries = Circuits(settings, clock, rng), RetryBudgets(settings, clock)
        attempts = Attempts({each.name: each for each in providers}, board, circuits, retries, clock, rng)
        channel = NewsChannel(client, "one")
        statuses = StatusReporter(board, circuits, StatusStore(pool), channel, clock, history_days=1)
        yield RouterService(catalog, attempts, statuses, clock, Limits(30.0, 8, 120.0, 1.0, 8))


async def answer(router: RouterService, remaining_s: float | None, way: str) -> None:
    """Ask in one of the three ways, to the end."""
    if way == "embed":
        await router.embed(EmbeddingInput("text-search-query", ["да"]), "0197", remaining_s)
    elif way == "complete":
        await router.complete(replace(ask(), model=MODEL), "0197", remaining_s)
    else:
        async for _ in await router.stream(replace(ask(), model=MODEL), "0197", remaining_s):
            pass


WAYS = pytest.mark.parametrize("way", ["complete", "stream", "embed"])


@WAYS
@pytest.mark.parametrize("remaining_s", [CALL_S + WISH_S, CALL_S + 0.5, CALL_S - 1.0], ids=["just", "short", "late"])
async def test_no_retry_begins_after_the_caller_s_deadline(way: str, remaining_s: float) -> None:
    """What the first call took counts; the failure is told at once, not after a wait for nothing."""
    clock = FakeClock(auto_advance=True)
    provider = BusyOnce(clock)

    async with service(provider, clock=clock) as router:
        with pytest.raises(ServiceError) as caught:
            await answer(router, remaining_s, way)

    assert caught.value.reason is ErrorReason.PROVIDER_RATE_LIMITED
    assert (provider.calls, clock.slept_s) == (1, [])


@WAYS
async def test_a_provider_that_never_answers_ends_with_the_one_deadline(way: str) -> None:
    """Of all attempts together; nothing is begun when it is over."""
    clock = FakeClock()
    provider = Silent(clock)

    async with service(provider, clock=clock) as router:
        with pytest.raises(ServiceError) as caught:
            await answer(router, 0.05, way)

    assert caught.value.reason is ErrorReason.PROVIDER_TIMEOUT
    assert provider.calls == 1


@WAYS
@pytest.mark.parametrize("remaining_s", [CALL_S + WISH_S + 0.01, None], ids=["enough", "no deadline"])
async def test_a_retry_that_the_deadline_leaves_time_for_is_made(way: str, remaining_s: float | None) -> None:
    """After exactly the wait that the provider asked for."""
    clock = FakeClock(auto_advance=True)
    provider = BusyOnce(clock)

    async with service(provider, clock=clock) as router:
        await answer(router, remaining_s, way)

    assert (provider.calls, clock.slept_s) == (2, [WISH_S])


@WAYS
async def test_a_full_provider_is_asked_again_as_its_own_sdk_does(way: str) -> None:
    """The second of two users of a credential with one stream got a 503 within 0.2 s."""
    clock = FakeClock(auto_advance=True)
    provider = BusyOnce(clock, refusals=QUOTA_ATTEMPTS - 1, wish_s=None)

    async with service(provider, clock=clock) as router:
        await answer(router, None, way)

    assert provider.calls == QUOTA_ATTEMPTS
    assert all(wait <= LONGEST_QUOTA_WAIT_S for wait in clock.slept_s)
    assert sum(clock.slept_s) >= 4.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a catalogue where one provider's model falls back to another provider's."""
    for file in SHIPPED.glob("*.yaml"):
        text = file.read_text()
        if file.stem == "yandexgpt":
            text = text.replace("  - id: yandexgpt-5.1\n", "  - id: yandexgpt-5.1\n    fallbacks: [gigachat]\n", 1)
        (tmp_path / file.name).write_text(text)
    return tmp_path


async def test_a_dead_provider_is_left_out_after_five_calls_and_asked_again_later(folder: Path) -> None:
    """The callers notice nothing; the explanation names who was skipped, which is no attempt."""
    clock = FakeClock(auto_advance=True)
    dead, other = Broken(clock), Healthy(clock)
    asked = replace(ask(), model=MODEL)

    async with service(dead, other, clock=clock, folder=folder) as router:
        answers = [await router.complete(asked, "0197", None) for _ in range(20)]
        assert (dead.calls, other.calls) == (5, 20)
        assert [(each.model, each.reason) for each in answers[-1].end.attempts] == [
            (MODEL, "SKIPPED_CIRCUIT_OPEN"),
            ("gigachat", ""),
        ]
        clock.advance(40)
        await router.complete(asked, "0197", None)

    assert dead.calls == 6, "one probe, and it failed"


async def test_nobody_healthy_is_said_at_once(folder: Path) -> None:
    """While three callers try each, the others need not wait for what they find."""
    clock = FakeClock(auto_advance=True)
    first, second = Broken(clock), Broken(clock)
    second.name = "gigachat"
    asked = replace(ask(), model=MODEL)

    async with service(first, second, clock=clock, folder=folder) as router:
        for _ in range(10):
            with pytest.raises(ServiceError, match="failed"):
                await router.complete(asked, "0197", None)
        blocked = Silent(clock)
        first_calls, second_calls = first.calls, second.calls
        for each in (first, second):
            each.complete = blocked.complete  # type: ignore[method-assign]
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(router.complete(asked, "0197", None)) for _ in range(6)]
            while blocked.calls < 6:
                await asyncio.sleep(0)
            with pytest.raises(ServiceError) as caught:
                await router.complete(asked, "0197", None)
            for task in waiting:
                task.cancel()

    assert caught.value.reason is ErrorReason.NO_HEALTHY_PROVIDER
    assert caught.value.retry_after_s is not None
    assert json.loads(caught.value.details["attempts"])[0]["reason"] == "SKIPPED_CIRCUIT_OPEN"
    assert (first.calls, second.calls) == (first_calls, second_calls)


async def test_retries_stop_when_the_minute_s_budget_is_spent() -> None:
    """Three of them whatever the load, then a tenth of the requests: a provider that fails gets no double load."""
    clock = FakeClock(auto_advance=True)
    provider = Broken(clock)

    async with service(provider, clock=clock) as router:
        for _ in range(20):
            with pytest.raises(ServiceError):
                await router.complete(replace(ask(), model=MODEL), "0197", None)

    assert provider.calls == 20 + 3
