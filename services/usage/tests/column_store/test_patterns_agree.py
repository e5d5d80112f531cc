"""Patterns are looked for in the same sums, whichever store they come from."""

from __future__ import annotations

import random
from dataclasses import fields, replace
from datetime import datetime, timedelta

from servicekit.testing.fake_clock import MIDDAY
from services.usage.catalog_facts.store import FactsStore
from services.usage.column_store.pattern_sums import ColumnSums
from services.usage.domain.record import Status, UsageRecord
from services.usage.insights.domain.material import Material
from services.usage.insights.material_reader import PostgresMaterial
from services.usage.insights.store.sessions import Sessions
from services.usage.tests.catalog_facts.models import DEAR, facts
from services.usage.tests.records import record, request_id

USER = "user-1"


def history(count: int) -> list[UsageRecord]:
    """Return requests of five weeks that are of every kind a pattern looks for, repeated and failed prompts too."""
    rng = random.Random(11)
    return [_request(rng, number, MIDDAY - timedelta(days=rng.random() * 35)) for number in range(count)]


def _request(rng: random.Random, number: int, at: datetime) -> UsageRecord:
    failed = rng.random() < 0.4
    return replace(
        record(number, at),
        request_id=request_id(number, at),
        user_id=rng.choice([USER, USER, "user-2"]),
        key_id=rng.choice(["key-1", "key-2", ""]),
        model=rng.choice(["yandexgpt:latest", "gigachat-pro:latest", "unknown"]),
        status=Status.FAILED if failed else rng.choice([Status.COMPLETED, Status.INTERRUPTED]),
        error_code=rng.choice(["provider_timeout", "rate_limit_exceeded"]) if failed else "",
        tokens_input=rng.choice([0, 100, 900, 6_553, 6_554, 9_000, 30_000]),
        tokens_output=rng.choice([0, 50, 250, 400]),
        tokens_cached=rng.choice([0, 10]),
        finish_reason=rng.choice(["stop", "length"]),
        traits=rng.choice([0, 1, 2, 2, 3, 4, 8]),
        cache_status=rng.choice(["", "", "hit"]),
        prompt_digest=rng.choice([b"", b"a", b"b", bytes(range(16))]),
        fallbacks=rng.choice([0, 0, 1]),
        first_token_ms=rng.choice([0, 200, 201, 350, 900]),
        cost_micro_rub=rng.choice([0, 1, 7, 30_001]),
    )


def comparable(material: Material) -> dict[str, object]:
    """Return the sums by name; lists in one order, since neither store promises one everywhere."""
    values = {each.name: getattr(material, each.name) for each in fields(material) if each.name != "facts"}
    return {name: sorted(value, key=repr) if isinstance(value, list) else value for name, value in values.items()}


async def test_patterns_are_looked_for_in_the_same_sums(columns, pool, ingest):
    """Hours, days, minutes, shapes of calls, errors, repeats, retries and first tokens; a user without any too."""
    store = FactsStore(pool)
    await store.put([DEAR, facts("gigachat-pro:latest", context_length=0)])
    known = await store.read()
    await columns.fill()
    await ingest.record(history(900))
    await columns.feeder.round()
    sums, postgres = ColumnSums(columns.engine), PostgresMaterial()
    number = (await columns.feed.state()).feed

    for user in (USER, "nobody"):
        async with Sessions(pool).of(user) as connection:
            expected = await postgres.material(connection, user, known, MIDDAY)
            hours = await postgres.hours(connection, user, MIDDAY - timedelta(days=3))

        assert comparable(await sums.material(user, known, MIDDAY, number)) == comparable(expected)
        assert list(await sums.hours(user, MIDDAY - timedelta(days=3), number)) == list(hours)
        assert bool(expected.retries) == bool(expected.models) == (user == USER)
