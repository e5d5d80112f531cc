"""Two months of one user in whose rows every pattern shows, and of one in whose rows none does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

from servicekit.testing.fake_clock import MIDDAY
from services.usage.catalog_facts.domain.facts import ModelFacts
from services.usage.domain.record import Status, UsageRecord
from services.usage.ingest import Ingest
from services.usage.insights.analysis import Asked
from services.usage.insights.domain.material import KeyUse, LimitUse
from services.usage.tests.catalog_facts.models import CHEAP, DEAR, facts
from services.usage.tests.records import record

ROUBLE: Final = 1_000_000
LEAVING: Final = facts(
    "yandexgpt:deprecated", version="deprecated", shutdown_at=MIDDAY + timedelta(days=30), successor=DEAR.model
)
MODELS: Final[list[ModelFacts]] = [DEAR, CHEAP, facts("gigachat-pro", provider="gigachat", version=""), LEAVING]
LONG_AGO: Final = MIDDAY - timedelta(days=90)
ASKED: Final = Asked(
    "Europe/Moscow",
    (
        KeyUse("key-1", "prod-1", MIDDAY - timedelta(days=90), MIDDAY),
        KeyUse("key-9", "ci-old", MIDDAY - timedelta(days=90), None),
    ),
    (LimitUse("month", 1500 * ROUBLE, 1300 * ROUBLE, MIDDAY + timedelta(days=20)),),
)
TUESDAY: Final = 1


@dataclass(slots=True)
class Writer:
    """Makes records of one user, each with a number of its own."""

    user_id: str
    numbers: Iterator[int]

    def row(self, at: datetime, **changes: Any) -> UsageRecord:
        """Return a streamed short call of the dear model for half a rouble."""
        given: dict[str, Any] = {
            "user_id": self.user_id,
            "provider": "yandexgpt",
            "model": DEAR.model,
            "tokens_input": 300,
            "tokens_output": 200,
            "tokens_cached": 0,
            "cost_micro_rub": ROUBLE // 2,
            "first_token_ms": 1000,
            "fallbacks": 0,
            "cache_status": "",
            "prompt_digest": b"",
            "traits": 0,
        }
        return replace(record(next(self.numbers), at), **{**given, **changes})

    def failed(self, at: datetime, **changes: Any) -> UsageRecord:
        """Return one that failed for nothing."""
        lost = {"status": Status.FAILED, "error_code": "rate_limit_exceeded", "cost_micro_rub": 0, "first_token_ms": 0}
        return self.row(at, **{**lost, "tokens_output": 0, **changes})


def eventful(writer: Writer) -> Iterator[UsageRecord]:
    """Yield rows of the last 56 days in which everything shows."""
    for ago in range(55, 0, -1):
        morning = (MIDDAY - timedelta(days=ago)).replace(hour=7)
        times = 2 if morning.weekday() == TUESDAY else 1
        for number in range(40 if ago <= 28 else 20):
            digest, traits = (b"same prompt", 2) if number % 2 else (b"", 0)
            cost = times * ROUBLE // 2
            yield writer.row(morning, cost_micro_rub=cost, prompt_digest=digest, traits=traits)
        yield from _of_last_weeks(writer, morning, ago)


def _of_last_weeks(writer: Writer, morning: datetime, ago: int) -> Iterator[UsageRecord]:
    if ago <= 7:
        slow = {"model": "gigachat-pro", "provider": "gigachat", "tokens_input": 3000, "tokens_output": 100}
        yield from (writer.row(morning, **slow, cost_micro_rub=ROUBLE, first_token_ms=3000) for _ in range(40))
        for series in range(4):
            begin = morning + timedelta(minutes=10 + 5 * series)
            yield from (_retry(writer, begin, number) for number in range(5))
    if ago == 1:
        # Dear enough to stand out, and not so dear that it says nothing of days to come.
        yield from (writer.row(morning, cost_micro_rub=20 * ROUBLE) for _ in range(8))
    if ago <= 10:
        window = {"model": LEAVING.model, "tokens_input": 30_000, "cost_micro_rub": ROUBLE // 10}
        yield from (writer.row(morning, **window, finish_reason="length") for _ in range(6))
        yield from (writer.failed(morning, key_id="key-2") for _ in range(4))
        yield from (writer.row(morning, key_id="key-2") for _ in range(6))


def _retry(writer: Writer, begin: datetime, number: int) -> UsageRecord:
    at = begin + timedelta(seconds=number)
    again = {"key_id": "key-3", "model": CHEAP.model, "prompt_digest": b"again"}
    return writer.failed(at, **again) if number < 4 else writer.row(at, **again, cost_micro_rub=1000)


def wasteful(writer: Writer) -> Iterator[UsageRecord]:
    """Yield a few dear rows: short calls, and a model that ends."""
    yield writer.row(MIDDAY - timedelta(days=2), model=LEAVING.model)
    short = {"tokens_input": 900, "tokens_output": 100, "cost_micro_rub": 800_000}
    for ago in range(28, 0, -1):
        yield from (writer.row(MIDDAY - timedelta(days=ago), **short) for _ in range(12))


def even(writer: Writer) -> Iterator[UsageRecord]:
    """Yield rows of the last 56 days in which nothing shows: one an hour, round the clock."""
    for hour in range(1, 56 * 24):
        yield writer.row(MIDDAY - timedelta(hours=hour), cost_micro_rub=60_000)


async def write(ingest: Ingest, user_id: str, rows: Any, *, first: int = 0) -> None:
    """Store the rows that one of the above makes for a user."""
    made = list(rows(Writer(user_id, count(first))))
    for begin in range(0, len(made), 5000):
        outcome = await ingest.record(made[begin : begin + 5000])
        assert not outcome.rejected
