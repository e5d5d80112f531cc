"""Requests of two users over some weeks, unlike each other in everything that can be asked for."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from services.usage.domain.record import Status, UsageRecord
from services.usage.tests.records import record

# Berlin and New York set their clocks back in these weeks: on 2026-10-25 and on 2026-11-01.
BEGIN: Final = datetime(2026, 10, 20, 21, 0, tzinfo=UTC)
END: Final = datetime(2026, 11, 4, 5, 30, tzinfo=UTC)
# Half an hour and three quarters off whole hours; clocks set back; ahead and behind of UTC.
MODELS: Final = (
    ("yandexgpt", "yandexgpt:latest"),
    ("yandexgpt", "yandexgpt:rc"),
    ("yandexgpt", "yandexgpt-lite:latest"),
    ("gigachat", "gigachat-pro"),
)
ZONES: Final = ("UTC", "Europe/Moscow", "Asia/Kolkata", "Asia/Kathmandu", "Europe/Berlin", "America/New_York")


def sample(count: int, seed: int = 1) -> list[UsageRecord]:
    """Return so many requests; some lie within a second of a midnight or a full hour."""
    rng = random.Random(seed)
    return [_request(number, rng) for number in range(count)]


def _request(number: int, rng: random.Random) -> UsageRecord:
    failed = rng.random() < 0.2
    streamed = not failed and rng.random() < 0.6
    provider, model = rng.choice(MODELS)
    return replace(
        record(number, _moment(rng)),
        user_id=rng.choice(["user-1", "user-1", "user-2"]),
        key_id=rng.choice(["key-1", "key-2", ""]),
        grant_id=(grant := rng.choice(["", "", "grant-1"])),
        client_id="app-1" if grant else "",
        provider=provider,
        model=model,
        endpoint=rng.choice(["chat.completions", "embeddings"]),
        status=Status.FAILED if failed else rng.choice([Status.COMPLETED, Status.INTERRUPTED]),
        error_code=rng.choice(["provider_timeout", "provider_error"]) if failed else "",
        tokens_input=rng.randrange(5_000),
        tokens_output=rng.randrange(500, 900),
        tokens_reasoning=rng.randrange(400),
        cost_micro_rub=rng.choice([0, 1, 999_999, rng.randrange(10_000_000)]),
        latency_ms=rng.randrange(800, 60_000),
        first_token_ms=rng.randrange(1, 800) if streamed else 0,
        cache_status=rng.choice(["", "hit", "miss"]),
    )


def _moment(rng: random.Random) -> datetime:
    moment = BEGIN + (END - BEGIN) * rng.random()
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    if rng.random() < 0.3:
        step = rng.choice([-1, 0, 1])
        moment = moment.replace(minute=rng.choice([0, 15, 30]), second=0, microsecond=0)
        return min(max(moment + timedelta(milliseconds=step), BEGIN), END - timedelta(milliseconds=1))
    return moment
