"""Whatever batches come in whatever order: rows and rollups agree with a model of ten lines."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TypeAlias

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servicekit.testing.fake_clock import MIDDAY
from services.usage.domain.record import Source, Status, UsageRecord
from services.usage.ingest import Ingest
from services.usage.store import UsageStore
from services.usage.tests.records import record

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

# Each example gets ids of its own, so that one database serves them all.
fresh = itertools.count(1)


@st.composite
def variants(draw: st.DrawFn) -> UsageRecord:
    """Draw a record out of few ids, keys and hours, so that they collide."""
    number = draw(st.integers(0, 7))
    source = draw(st.sampled_from(Source))
    return replace(
        record(number, MIDDAY - timedelta(hours=5 * number)),
        user_id=draw(st.sampled_from(["user-1", "user-2"])),
        key_id=draw(st.sampled_from(["", "key-1"])),
        model=draw(st.sampled_from(["gigachat", "gigachat-pro"])),
        status=draw(st.sampled_from(Status)),
        source=source,
        tokens_input=draw(st.integers(0, 2**31 - 1)),
        tokens_output=draw(st.integers(0, 10)),
        cost_micro_rub=draw(st.integers(0, 9_999_999_999)),
        latency_ms=draw(st.integers(0, 100_000)),
        first_token_ms=draw(st.integers(0, 3)),
    )


def modelled(records: list[UsageRecord]) -> dict[str, UsageRecord]:
    """Return what must be stored: the first that is no guess, else the first."""
    kept: dict[str, UsageRecord] = {}
    for one in records:
        earlier = kept.setdefault(one.request_id, one)
        if earlier.source is Source.REAPED and one.source is not Source.REAPED:
            kept[one.request_id] = one
    return kept


def with_fresh_ids(batches: list[list[UsageRecord]]) -> list[list[UsageRecord]]:
    """Return the batches under ids that no example used before."""
    example = next(fresh)
    return [
        [replace(one, request_id=one.request_id[:24] + f"{example:09x}" + one.request_id[-3:]) for one in batch]
        for batch in batches
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drawn=st.lists(st.lists(variants(), max_size=8), min_size=1, max_size=5), order=st.randoms(use_true_random=False)
)
async def test_rows_and_rollups_agree_after_any_batches_and_replays(
    ingest: Ingest, store: UsageStore, pool: Pool, drawn: list[list[UsageRecord]], order: random.Random
) -> None:
    """Duplicates, replays and guesses replaced in any order: each id once, every sum exact."""
    batches = with_fresh_ids(drawn)
    replays = order.sample(batches, len(batches))
    for batch in batches + replays:
        outcome = await ingest.record(batch)
        assert outcome.inserted + outcome.replaced + outcome.duplicates == len(batch)

    expected = modelled([one for batch in batches for one in batch])
    for one in expected.values():
        assert await store.find_of_user(one.user_id, one.request_id) == one
    assert (await store.check(MIDDAY - timedelta(days=3, hours=12))).broken == ()
    assert await stored_buckets(pool) == await expected_buckets(pool)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(st.lists(variants(), max_size=8), min_size=2, max_size=5))
async def test_batches_at_the_same_time_agree_too(
    ingest: Ingest, store: UsageStore, pool: Pool, drawn: list[list[UsageRecord]]
) -> None:
    """Whoever wins a race, nothing is counted twice and nothing is lost."""
    batches = with_fresh_ids(drawn)

    outcomes = await asyncio.gather(*[ingest.record(batch) for batch in batches])

    ids = {one.request_id for batch in batches for one in batch}
    assert sum(outcome.inserted for outcome in outcomes) == len(ids)
    assert (await store.check(MIDDAY - timedelta(days=3, hours=12))).broken == ()


async def stored_buckets(pool: Pool) -> Counter[tuple[str, int]]:
    """Return the latency histogram summed over hours and models."""
    rows = await pool.fetch("SELECT metric, bucket, sum(requests)::int FROM usage.rollup_hour_latency GROUP BY 1, 2")
    return Counter({(metric, bucket): requests for metric, bucket, requests in rows if requests})


def latency_bucket(milliseconds: int) -> int:
    """Return the histogram's bucket: bucket b holds values up to 1.08**b ms."""
    return math.ceil(math.log(milliseconds) / math.log(1.08)) if milliseconds > 1 else 0


async def expected_buckets(pool: Pool) -> Counter[tuple[str, int]]:
    """Return the same, counted from the rows; of those of release 1.0 nobody measured how long they took."""
    rows = await pool.fetch("SELECT source, latency_ms, first_token_ms FROM usage.usage")
    found = Counter(("latency", latency_bucket(latency)) for source, latency, _ in rows if source != "imported")
    found.update(("first_token", latency_bucket(first)) for _, _, first in rows if first)
    return found
