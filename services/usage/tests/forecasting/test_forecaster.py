"""Forecasts from stored requests, and what becomes of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from servicekit.errors import InvalidRequest
from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from services.usage.catalog_facts.store import FactsStore
from services.usage.domain.record import UsageRecord
from services.usage.forecasting import metrics
from services.usage.forecasting.domain.forecast import Limit, Question
from services.usage.forecasting.domain.outlook import MethodName, Refusal
from services.usage.forecasting.forecaster import Forecaster, check
from services.usage.forecasting.keeper import ForecastKeeper
from services.usage.forecasting.settings import ForecastSettings
from services.usage.forecasting.store import ForecastStore
from services.usage.ingest import Ingest
from services.usage.tests.catalog_facts.models import CHEAP, DEAR
from services.usage.tests.records import record

MOSCOW = ZoneInfo("Europe/Moscow")
RUB = 1_000_000
QUESTION = Question("user-1", "Europe/Moscow", horizon=7)
DAY_S = 86_400


def on(day: date, hour: int, number: int, **changes: Any) -> UsageRecord:
    """A request of a rouble at an hour of a day in Moscow."""
    at = datetime(day.year, day.month, day.day, hour, 30, tzinfo=MOSCOW)
    usual: dict[str, Any] = {"cost_micro_rub": RUB, "model": DEAR.model}
    return replace(record(number, at), **(usual | changes))


def days_before(clock: FakeClock, count: int) -> list[date]:
    today = clock.now().astimezone(MOSCOW).date()
    return [today - timedelta(days=days) for days in range(count, 0, -1)]


@pytest.fixture
async def month(ingest: Ingest, clock: FakeClock) -> None:
    """Thirty days of four requests each, one of them half an hour after midnight in Moscow; it is 15:00 there."""
    days = days_before(clock, 30)
    await ingest.record(
        [on(day, hour, at * 4 + n) for at, day in enumerate(days) for n, hour in enumerate((0, 9, 14, 20))]
    )


@pytest.mark.usefixtures("month")
async def test_stored_requests_become_days_of_the_askers_zone(forecaster: Forecaster):
    found = await forecaster.forecast(QUESTION)

    assert (found.outlook.method, found.outlook.history_days) == (MethodName.HALF, 30)
    assert [point.band.p50 for point in found.points[1:]] == [4 * RUB] * 6
    assert (found.month_end.spent, found.month_end.last_day) == (22 * 4 * RUB, date(2026, 11, 30))
    # Three of four requests usually come before 15:00, and today has none.
    assert found.points[0].band.p50 == pytest.approx(RUB / 4, rel=0.01)


@pytest.mark.usefixtures("month")
async def test_a_user_without_requests_is_told_that_there_is_no_history(forecaster: Forecaster):
    found = await forecaster.forecast(replace(QUESTION, user_id="somebody-else", limit=Limit(RUB)))

    assert (found.outlook.refusal, found.outlook.history_days) == (Refusal.SHORT_HISTORY, 0)
    assert found.limit is not None
    assert found.limit.on is None


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"zone": "Europe/Nowhere"}, "tz"),
        ({"zone": "../../etc/passwd"}, "tz"),
        ({"zone": ""}, "tz"),
        ({"horizon": 0}, "horizon"),
        ({"horizon": 36}, "horizon"),
        ({"limit": Limit(0)}, "limit_rub"),
        ({"user_id": ""}, "user_id"),
    ],
)
def test_what_cannot_be_answered_is_refused_by_name(changes, param):
    with pytest.raises(InvalidRequest) as caught:
        check(replace(QUESTION, **changes))

    assert caught.value.param == param


async def test_a_model_that_is_not_offered_answers_no_what_if(forecaster: Forecaster, facts_store: FactsStore):
    """Nor does one without a price or one that does not chat."""
    unpriced, other_kind = replace(CHEAP, model="unpriced", prices=()), replace(CHEAP, model="e", kind="embedding")
    await facts_store.put([DEAR, CHEAP])
    await facts_store.put([DEAR, unpriced, other_kind])

    for name in ("no-such-model", CHEAP.model, "unpriced", "e"):
        with pytest.raises(InvalidRequest, match="no chat model with a price") as caught:
            await forecaster.forecast(replace(QUESTION, what_if_model=name))
        assert caught.value.param == "what_if"


async def test_short_calls_are_those_that_another_model_could_answer(
    forecaster: Forecaster, facts_store: FactsStore, ingest: Ingest, clock: FakeClock
):
    """Long ones, broken off ones, what needs tools, pictures or a schema, batches, the cache's, others' ones stay."""
    await facts_store.put([DEAR, CHEAP])
    yesterday, long_ago = days_before(clock, 1)[0], days_before(clock, 40)[0]
    kept: list[dict[str, Any]] = [
        {"tokens_input": 1000},
        {"tokens_output": 300},
        {"finish_reason": "length"},
        *[{"traits": bit} for bit in (1, 4, 8)],
        {"price_version": "2026-07-01+batch50", "cost_micro_rub": 400_000},
        {"endpoint": "embeddings"},
        {"cache_status": "hit", "cost_micro_rub": 0},
        {"user_id": "user-2"},
        {"model": CHEAP.model},
    ]
    short: dict[str, Any] = {
        "tokens_input": 900,
        "tokens_output": 100,
        "tokens_cached": 0,
        "cost_micro_rub": 800_000,
        "traits": 2,
    }
    await ingest.record(
        [
            *[on(yesterday, 9, number, **short) for number in range(3)],
            on(long_ago, 9, 10, **short),
            *[on(yesterday, 9, 20 + number, **(short | other)) for number, other in enumerate(kept)],
        ]
    )

    found = await forecaster.forecast(replace(QUESTION, what_if_model="yandexgpt-lite"))

    assert found.what_if is not None
    assert (found.what_if.model, found.what_if.requests) == (CHEAP.model, 3)
    assert (found.what_if.cost_micro_rub, found.what_if.would_cost_micro_rub) == (2_400_000, 600_000)


@pytest.mark.usefixtures("month")
async def test_a_forecast_is_kept_once_a_day_and_compared_when_the_day_is_over(
    forecaster: Forecaster, keeper: ForecastKeeper, forecast_store: ForecastStore, ingest: Ingest, clock: FakeClock
):
    """The band is that of the full day, whenever it is asked for; what came late on that day counts."""
    await forecaster.forecast(QUESTION)
    today = clock.now().astimezone(MOSCOW).date()
    await ingest.record([on(today, hour, 500 + hour) for hour in (16, 17, 18, 23)])
    await keeper.round()
    assert await forecast_store.read_kept("user-1", "Europe/Moscow", today) == []
    clock.advance(DAY_S / 2)

    await keeper.round()

    found = await forecaster.forecast(QUESTION)
    assert found.accuracy is not None
    assert (found.accuracy.days, found.accuracy.held_share, found.accuracy.error_share) == (1, 1.0, 0.0)
    assert metrics.COVERAGE._value.get() == 1.0


@pytest.mark.usefixtures("month")
async def test_days_on_which_nobody_asks_are_kept_for_as_long_as_was_said(
    forecaster: Forecaster,
    forecast_store: ForecastStore,
    ingest: Ingest,
    pool: asyncpg.Pool[asyncpg.Record],
    clock: FakeClock,
):
    """By one instance, though two do the job at once; of the days after the third nothing is kept."""
    keeper = ForecastKeeper(forecaster, forecast_store, ForecastSettings(asked_days=3), clock=clock)
    await forecaster.forecast(QUESTION)
    for _ in range(6):
        today = clock.now().astimezone(MOSCOW).date()
        await ingest.record([on(today, hour, 600 + hour) for hour in (0, 9, 14, 20)])
        clock.advance(DAY_S)
        await asyncio.gather(keeper.round(), keeper.round())

    async with pool.acquire() as connection:
        await connection.execute("SELECT set_config('razvilka.user', '*', false)")
        rows = await connection.fetch("SELECT day, asked, actual_micro_rub FROM usage.forecasts ORDER BY day")
    assert [(row["day"].day, row["asked"]) for row in rows] == [(23, True), (24, False), (25, False), (26, False)]
    assert {row["actual_micro_rub"] for row in rows} == {4 * RUB}


@pytest.mark.usefixtures("month")
async def test_who_asks_in_another_zone_than_before_has_an_accuracy_there(
    forecaster: Forecaster, keeper: ForecastKeeper, clock: FakeClock
):
    """What is kept by itself is of the zone of the last question: it took the first zone for good."""
    await forecaster.forecast(replace(QUESTION, zone="Asia/Tokyo"))
    for _ in range(2):
        clock.advance(DAY_S)
        await keeper.round()
        found = await forecaster.forecast(QUESTION)

    assert found.accuracy is not None
    assert found.accuracy.days == 1


@pytest.mark.usefixtures("month")
async def test_one_users_forecasts_are_not_anothers(forecaster: Forecaster, forecast_store: ForecastStore):
    await forecaster.forecast(QUESTION)
    clock_day = MIDDAY.date()
    (mine,) = await forecast_store.find_open(clock_day + timedelta(days=1), 10)
    await forecast_store.compare(mine, 4 * RUB)

    assert len(await forecast_store.read_kept("user-1", "Europe/Moscow", clock_day)) == 1
    assert await forecast_store.read_kept("user-2", "Europe/Moscow", clock_day) == []
    assert await forecast_store.read_kept("user-1", "UTC", clock_day) == []


@pytest.mark.usefixtures("month")
async def test_a_zone_that_only_another_instance_knows_keeps_nobody_elses_forecasts_from_being_kept(
    forecaster: Forecaster, keeper: ForecastKeeper, pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock
):
    """Two images have two lists of zones, and both serve while one takes the other's place."""
    await forecaster.forecast(replace(QUESTION, zone="Asia/Tokyo"))
    async with pool.acquire() as connection:
        await connection.execute("SELECT set_config('razvilka.user', '*', false)")
        await connection.execute("UPDATE usage.forecasts SET zone = 'Mars/Olympus', user_id = 'user-0'")
    await forecaster.forecast(QUESTION)
    clock.advance(DAY_S)

    await keeper.round()

    async with pool.acquire() as connection:
        await connection.execute("SELECT set_config('razvilka.user', '*', false)")
        rows = await connection.fetch("SELECT user_id, actual_micro_rub IS NULL FROM usage.forecasts ORDER BY 1, day")
    assert list(map(tuple, rows)) == [("user-0", True), ("user-1", False), ("user-1", True)]


async def test_old_forecasts_are_forgotten(
    forecaster: Forecaster, forecast_store: ForecastStore, keeper: ForecastKeeper, month, clock: FakeClock
):
    await forecaster.forecast(QUESTION)
    clock.advance(401 * DAY_S)

    await keeper.round()

    assert await forecast_store.find_open(date(9999, 1, 1), 10) == []
    assert await forecast_store.coverage(date(1970, 1, 1)) is None
