"""Yandex's embeddings within its quota: paced, in order, equal texts once, refusals waited out, within the deadline."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.testing import RunningEmulator
from servicekit.clock import SystemClock
from servicekit.errors import ErrorReason, ServiceError
from servicekit.testing import FakeClock
from services.router.domain.completion import EmbeddingInput, Usage, Vectors
from services.router.domain.failure import QUOTA_ATTEMPTS
from services.router.providers import failures
from services.router.providers.provider import ProviderCall
from services.router.providers.registry import SECOND_S
from services.router.providers.yandexgpt.embeddings import PacedEmbeddings
from services.router.slots.line import SlotLine
from services.router.slots.quota import Quota
from services.router.slots.settings import SlotSettings
from services.router.slots.wire import Heard, Told
from services.router.tests.adapters import Adapters, model

DOCUMENTS = model("text-search-doc")


def call(deadline: float | None = None) -> ProviderCall:
    return ProviderCall(DOCUMENTS, "r", {}, deadline)


class NoExchange:
    """A line that nobody may ask."""

    async def tell(self, line: str, told: Told) -> Heard:
        raise AssertionError


class Provider:
    """A provider that refuses the first `refusals` calls."""

    def __init__(self, clock: FakeClock, refusals: int = 0, wish_s: float | None = None) -> None:
        self.asked: list[tuple[float, str]] = []
        self._clock = clock
        self._refusals = refusals
        self._wish_s = wish_s

    async def embed_one(self, text: str) -> Vectors:
        self.asked.append((self._clock.monotonic(), text))
        if len(self.asked) <= self._refusals:
            raise failures.rate_limited(self._wish_s, limit="rate")
        return Vectors([[float(len(text)), float(int(text))]], Usage(len(text), 0))


async def test_thirty_texts_are_made_in_their_order() -> None:
    """They were a 503 after ten."""
    clock = FakeClock(auto_advance=True)
    quota, texts = Provider(clock), [str(number) for number in range(30)]

    made = await PacedEmbeddings(None, clock).embed(texts, call(), quota.embed_one)

    assert [vector[1] for vector in made.values] == list(range(30))
    assert made.usage == Usage(sum(map(len, texts)), 0)


@given(st.lists(st.sampled_from("123"), min_size=1, max_size=40))
def test_equal_texts_are_asked_for_and_billed_once(texts: list[str]) -> None:
    """Each has its vector all the same, in its place."""
    clock = FakeClock(auto_advance=True)
    quota = Provider(clock)

    made = asyncio.run(PacedEmbeddings(None, clock).embed(texts, call(), quota.embed_one))

    assert [vector[1] for vector in made.values] == [float(text) for text in texts]
    assert sorted(text for _, text in quota.asked) == sorted(set(texts))
    assert made.usage == Usage(len(set(texts)), 0)


@pytest.mark.parametrize(("wish_s", "waits"), [(None, [1.0, 1.5]), (0.25, [0.25, 0.25])])
async def test_a_refusal_is_waited_out(wish_s: float | None, waits: list[float]) -> None:
    """Another router has the same credential: as long as the provider wishes, or as its SDK does."""
    clock = FakeClock(auto_advance=True)
    quota = Provider(clock, refusals=2, wish_s=wish_s)

    made = await PacedEmbeddings(None, clock).embed(["7"], call(), quota.embed_one)

    assert made.values == [[1.0, 7.0]]
    assert clock.slept_s == waits


@pytest.mark.parametrize(("deadline", "tries"), [(None, QUOTA_ATTEMPTS), (2.0, 2), (0.9, 1)])
async def test_a_refusal_that_stays_ends_within_the_deadline(deadline: float | None, tries: int) -> None:
    """The caller hears of it while it still listens."""
    clock = FakeClock(auto_advance=True)
    quota = Provider(clock, refusals=100)

    with pytest.raises(ServiceError) as caught:
        await PacedEmbeddings(None, clock).embed(["7"], call(deadline), quota.embed_one)

    assert caught.value.reason is ErrorReason.PROVIDER_RATE_LIMITED
    assert len(quota.asked) == tries
    assert deadline is None or clock.monotonic() < deadline


async def test_more_texts_than_the_deadline_has_time_for_are_refused_before_the_first() -> None:
    """By the field, with the numbers: what was made of them would have been paid for nothing."""
    clock = FakeClock(auto_advance=True)
    line = SlotLine("embeddings", "r", Quota({"folder": 10}, SECOND_S), NoExchange(), clock, SlotSettings())
    quota, texts = Provider(clock), [str(number) for number in range(1000)]

    with pytest.raises(ServiceError) as caught:
        await PacedEmbeddings(line, clock).embed(texts, call(60.0), quota.embed_one)

    assert (caught.value.reason, caught.value.param) == (ErrorReason.INVALID_PARAMETERS, "input")
    assert caught.value.message == "1000 texts take 109 s at the provider's rate, and 60 s are left: send fewer."
    assert quota.asked == []


async def test_thirty_texts_pass_the_provider_s_own_quota(adapters: Adapters, emulator: RunningEmulator) -> None:
    """The emulator refuses the eleventh call of a second as Yandex does."""
    await emulator.control.set_limits(yandex_embeddings_per_s=10)
    texts = [f"текст номер {number}" for number in range(30)]
    alone = await adapters.yandex.embed(EmbeddingInput("", texts[-1:]), call())

    made = await adapters.yandex.embed(EmbeddingInput("", texts), call(SystemClock().monotonic() + 60))

    assert len(made.values) == 30
    assert made.values[-1] == alone.values[0]
