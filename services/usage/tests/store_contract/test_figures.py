"""Figures are the sums of the requests, whatever is asked for and in whichever zone."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations, product

import pytest

from services.usage.domain.rollup import TAGS_A_DAY
from services.usage.statistics.answering import daily_cost
from services.usage.statistics.domain.figures import Row
from services.usage.statistics.domain.folding import fold
from services.usage.statistics.domain.query import Bucket, Dimension, Query, RowPosition
from services.usage.statistics.domain.sampling import ENOUGH
from services.usage.tests.records import record
from services.usage.tests.statistics.expected import answered, expected
from services.usage.tests.statistics.samples import BEGIN, END, ZONES, sample
from services.usage.tests.store_contract.conftest import StoreUnderTest

PAIRS = [(), *[(each,) for each in Dimension], *combinations(Dimension, 2)]
BUCKETS = (None, *Bucket)
FILTERS: tuple[dict[Dimension, tuple[str, ...]], ...] = (
    {},
    {Dimension.MODEL: ("yandexgpt", "gigachat-pro")},
    {Dimension.KEY: ("key-1", ""), Dimension.STATUS: ("failed",)},
    {Dimension.ERROR: ("provider_timeout",)},
    {Dimension.APP: ("app-1",), Dimension.ENDPOINT: ("embeddings",)},
    {Dimension.VERSION: ("unknown",)},
)


def questions(rng: random.Random, zone: str) -> list[Query]:
    """Return a question of each pair of dimensions, with the rest drawn."""
    spans = [(BEGIN, END), (BEGIN + timedelta(hours=2, minutes=7), END - timedelta(days=3, minutes=1, seconds=3))]
    spans += [(BEGIN + timedelta(minutes=61), BEGIN + timedelta(minutes=95)), (BEGIN - timedelta(days=9), END)]
    return [
        Query(rng.choice([None, "user-1"]), *rng.choice(spans), zone, rng.choice(BUCKETS), pair, rng.choice(FILTERS))
        for pair in PAIRS
    ]


@pytest.mark.parametrize("zone", ZONES)
async def test_figures_are_the_sums_of_the_requests(stored: StoreUnderTest, zone: str) -> None:
    """Any two dimensions, any filters, any bucket; to the micro-rouble, also where a clock is set back."""
    records = sample(600)
    await stored.keep(records)

    for query in questions(random.Random(zone), zone):
        rows = await stored.reader.figures(query)

        assert answered(rows, query) == expected(records, query), query
        assert [(row.starts_at, row.group) for row in rows] == sorted((row.starts_at, row.group) for row in rows)


async def test_a_question_about_a_tag_counts_the_requests_that_have_it(stored: StoreUnderTest) -> None:
    """Once each, also one that has two of the tags; grouped by tag, all that these requests have are groups."""
    plain = sample(200)
    records = [replace(each, metadata={"team": f"t{n % 3}", "job": f"j{n % 2}"}) for n, each in enumerate(plain)]
    await stored.keep(records)
    tags = "team=t1", "job=j0"

    for group_by, bucket in product(((), (Dimension.TAG,), (Dimension.MODEL,), (Dimension.KEY,)), (None, Bucket.DAY)):
        query = Query("user-1", BEGIN, END, "Europe/Moscow", bucket, group_by, {Dimension.TAG: tags})
        rows = answered(await stored.reader.figures(query), query)

        wanted = [each for each in records if {f"{k}={v}" for k, v in each.metadata.items()} & set(tags)]
        assert rows == expected(wanted, replace(query, filters={})), (group_by, bucket)


@pytest.mark.parametrize("group_by", [(Dimension.KEY, Dimension.APP), (Dimension.USER,), (Dimension.TAG,)])
async def test_groups_beyond_the_largest_are_one(stored: StoreUnderTest, group_by: tuple[Dimension, ...]) -> None:
    """By cost over all buckets; in each bucket the others are a row that says so; durations are of the largest."""
    await stored.keep(sample(300))
    span = BEGIN + timedelta(minutes=17), END

    for bucket in (None, Bucket.DAY, Bucket.WEEK):
        query = Query(None, *span, "Europe/Moscow", bucket, group_by, quantiles=bucket is None)
        folded = await stored.reader.figures(replace(query, top=1))

        assert list(folded) == fold(await stored.reader.figures(query), 1)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Europe/Berlin"])
async def test_pages_have_every_row_once_and_in_order(stored: StoreUnderTest, zone: str) -> None:
    """Whatever is asked for and however small they are; an end within a bucket leads into it again."""
    await stored.keep(sample(300))
    whole = (None, BEGIN + timedelta(hours=2, minutes=7), END, zone)
    for limit, group_by in product((1, 4, 1_000), ((), (Dimension.KEY,), (Dimension.VERSION, Dimension.KEY))):
        query = Query(*whole, Bucket.DAY, group_by, FILTERS[1], limit=limit)

        pages = [page async for page in pages_of(stored, query)]

        assert [row for page in pages for row in page] == await stored.reader.figures(replace(query, limit=0))
        assert {len(page) for page in pages[:-1]} <= {limit}


async def pages_of(stored: StoreUnderTest, query: Query) -> AsyncIterator[Sequence[Row]]:
    """Yield the pages."""
    while page := await stored.reader.figures(query):
        yield page
        assert page[-1].starts_at is not None
        query = replace(query, after=RowPosition(page[-1].starts_at, page[-1].group))


async def test_a_page_begins_behind_any_position(stored: StoreUnderTest) -> None:
    """Before the period, in a bucket that has no row any more, behind a group that there never was."""
    await stored.keep(sample(300))
    query = Query("user-1", BEGIN, END, "UTC", Bucket.DAY, (Dimension.KEY,), limit=5)
    rows = await stored.reader.figures(replace(query, limit=0))
    third = rows[2].starts_at
    assert third is not None
    behind = len([row for row in rows if row.starts_at and row.starts_at <= third])

    for position, begins_at in (
        (RowPosition(BEGIN - timedelta(days=400), ("key-1",)), 0),
        (
            RowPosition(third + timedelta(hours=3), ("\U0010ffff",)),
            behind,
        ),
    ):
        found = await stored.reader.figures(replace(query, after=position))
        assert list(found) == list(rows[begins_at : begins_at + 5]), position


async def test_tags_are_told_apart_however_many_there_are(stored: StoreUnderTest) -> None:
    """Also of a user who gives each request one of its own."""
    records = [replace(each, metadata={**each.metadata, "id": str(n)}) for n, each in enumerate(sample(TAGS_A_DAY + 9))]
    await stored.keep([replace(each, user_id="user-1") for each in records[: TAGS_A_DAY // 2]])
    query = Query("user-1", BEGIN, END, "Europe/Moscow", Bucket.MONTH, (Dimension.TAG,))
    few = answered(await stored.reader.figures(query), query)

    records = [replace(each, user_id="user-1") for each in records]
    await stored.keep(records)

    assert answered(await stored.reader.figures(query), query) == expected(records, query)
    assert len(few) < len(expected(records, query))


async def test_each_day_has_its_cost_also_an_empty_one(stored: StoreUnderTest) -> None:
    """In the zone's days: what is spent at 23:30 in London belongs to the next day in Moscow."""
    await stored.keep(records := sample(300))
    since = datetime(2026, 10, 18, tzinfo=UTC).date()
    whole = Query("user-1", BEGIN - timedelta(days=5), END, "Europe/Moscow", Bucket.DAY)
    by_day = {place[0]: sums["cost_micro_rub"] for place, sums in expected(records, whole).items()}

    days = await daily_cost(stored.reader, "user-1", "Europe/Moscow", since, since + timedelta(days=20))

    assert days == [by_day.get(since + timedelta(days=number), 0) for number in range(20)]
    assert days[0] == 0 < sum(days)


async def test_durations_are_given_when_they_are_asked_for(stored: StoreUnderTest) -> None:
    """At most four in a hundred off; None where nothing was measured."""
    records = [each for each in sample(500) if each.user_id == "user-1"]
    await stored.keep(records)

    (row,) = await stored.reader.figures(Query("user-1", BEGIN, END, quantiles=True))
    (cheap,) = await stored.reader.figures(Query("user-1", BEGIN, END))

    latencies = sorted(each.latency_ms for each in records)
    assert row.figures.latency.p50 == pytest.approx(latencies[len(latencies) // 2], rel=0.05)
    assert row.figures.latency.p95 == pytest.approx(latencies[int(len(latencies) * 0.95)], rel=0.06)
    assert (row.figures.first_token.p50 or 0) < (row.figures.first_token.p95 or 0) <= 800
    assert cheap.figures.latency.p50 is None


async def test_an_empty_span_has_no_figures(stored: StoreUnderTest) -> None:
    """Neither one that ends where it begins, nor one in which nothing was asked."""
    await stored.keep(sample(10))

    assert list(await stored.reader.figures(Query(None, BEGIN, BEGIN))) == []
    assert list(await stored.reader.figures(Query("nobody", BEGIN, END))) == []


async def test_answers_to_several_questions_are_of_one_moment(stored: StoreUnderTest) -> None:
    """In the order of the questions."""
    await stored.keep(sample(50))
    queries = [Query("user-1", BEGIN, END), Query("user-1", BEGIN, END, group_by=(Dimension.KEY,))]

    (total,), by_key = await stored.reader.figures_together(queries)

    assert total.figures.requests == sum(row.figures.requests for row in by_key) > 0


async def test_durations_are_measured_wherever_in_a_long_period_the_requests_are(stored: StoreUnderTest) -> None:
    """Of more than are sorted, all of one short while: by hours, by days of a key, and from rows."""
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    many, late = ENOUGH + 200, begin + timedelta(days=200, hours=23, minutes=40)
    spread = [record(number, late + timedelta(milliseconds=20 * number)) for number in range(many)]
    for first in range(0, many, 2_000):
        await stored.keep(
            [replace(each, latency_ms=100 + n % 900) for n, each in enumerate(spread)][first : first + 2_000]
        )

    for since, filters in (
        (begin, {}),
        (begin, {Dimension.KEY: ("key-1",)}),
        (begin, {Dimension.TAG: ("team=search",)}),
        (late - timedelta(days=4, minutes=7), {}),
    ):
        query = Query("user-1", since, begin + timedelta(days=256), filters=filters, quantiles=True)
        (row,) = await stored.reader.figures(query)

        assert row.figures.requests == many
        assert row.figures.latency.p50 == pytest.approx(550, rel=0.05), (since, filters)
        assert row.figures.first_token.p99 == 300
