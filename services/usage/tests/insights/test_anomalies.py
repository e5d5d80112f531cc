"""Days and hours that cost more than they should, in real rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from servicekit.errors import InvalidRequest, NotFound
from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from services.usage.ingest import Ingest
from services.usage.insights.assembly import Insights
from services.usage.insights.domain.anomaly import NO_CAUSE, Cause, judge_hour, judge_next_day, root_cause
from services.usage.insights.domain.incident import Feedback, Grain, Incident, without_incidents
from services.usage.store.connection import NAME_USER
from services.usage.tests.insights.assembled import insights_on
from services.usage.tests.insights.story import ROUBLE, Writer

USER = "user-1"
NUMBERS = count(1)
TODAY = MIDDAY.date()


async def spend(ingest: Ingest, costs: Sequence[int], *, until: datetime = MIDDAY, **changes: Any) -> None:
    """Store one request a day at noon, the last the day before `until`; costs in roubles, 0: none."""
    writer = Writer(USER, NUMBERS)
    days = [until - timedelta(days=len(costs) - number) for number in range(len(costs))]
    rows = [
        writer.row(day, cost_micro_rub=cost * ROUBLE, **changes) for day, cost in zip(days, costs, strict=True) if cost
    ]
    assert not (await ingest.record(rows)).rejected


async def incidents_of(insights: Insights, user_id: str = USER) -> list[Incident]:
    return await insights.anomalies.list_of(user_id, MIDDAY - timedelta(days=99), MIDDAY + timedelta(days=99), 50)


async def days_of(insights: Insights) -> list[Incident]:
    return [each for each in await incidents_of(insights) if each.grain is Grain.DAY]


async def test_a_dear_day_is_found_with_its_cause_and_told(ingest: Ingest, insights: Insights, told) -> None:
    """300 roubles a day, then 900: the second key spent what is too much."""
    await spend(ingest, [300] * 30)
    await spend(ingest, [600], key_id="key-2")

    await insights.jobs.look()

    (found,) = await incidents_of(insights)
    assert (found.grain, found.begins_at.date()) == (Grain.DAY, TODAY - timedelta(days=1))
    assert (found.expected_micro_rub, found.actual_micro_rub) == (300 * ROUBLE, 900 * ROUBLE)
    assert found.cause == Cause("key", "key-2", 0, 600 * ROUBLE)
    ((user_id, kind, facts),) = told.events
    assert (user_id, kind, facts["incident"]) == (USER, "anomaly.detected", found.id)
    assert facts["summary_ru"].startswith("22.11.2026 расход 900")
    assert "key key-2" in facts["summary_en"]


@pytest.mark.parametrize(
    "costs",
    [[300] * 30, [10] * 29 + [90], [300] * 8 + [900], [300] * 30 + [325], [0] * 20 + [300] * 8 + [900]],
    ids=["even", "too little money", "short history", "just above", "history begins with spending"],
)
async def test_a_day_that_is_none_is_left_alone(ingest: Ingest, insights: Insights, told, costs: list[int]) -> None:
    """Below the bar, below a hundred roubles, before ten days."""
    await spend(ingest, costs)

    await insights.jobs.look()

    assert await incidents_of(insights) == []
    assert told.events == []


async def test_days_in_a_row_are_one_incident_told_once(
    ingest: Ingest, insights: Insights, told, clock: FakeClock
) -> None:
    """The first dear day does not hide the second, found a day later."""
    await spend(ingest, [300] * 30 + [900])
    await insights.jobs.look()
    await spend(ingest, [1000], until=MIDDAY + timedelta(days=1))
    clock.advance(86_400)

    await insights.jobs.look()

    (found,) = await incidents_of(insights)
    assert found.ends_at - found.begins_at == timedelta(days=2)
    assert found.actual_micro_rub == 1900 * ROUBLE
    assert found.cause == Cause("key", "key-1", 600 * ROUBLE, 1900 * ROUBLE)
    assert len(told.events) == 1


async def test_a_day_is_judged_where_its_user_lives_as_soon_as_it_is_over_there(
    ingest: Ingest, insights: Insights, clock: FakeClock, told, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """In Vladivostok the 24th begins at 14:00 UTC of the 23rd; what its days cost is a sum over two of UTC."""
    async with pool.acquire() as connection:
        await connection.execute(NAME_USER, USER)
        await connection.execute(
            "INSERT INTO usage.notification_people (user_id, language, time_zone, told_at)"
            " VALUES ($1, 'ru', 'Asia/Vladivostok', now())",
            USER,
        )
    await spend(ingest, [300] * 31, until=MIDDAY + timedelta(days=1))
    await spend(ingest, [300], until=MIDDAY - timedelta(hours=20) + timedelta(days=1))
    await spend(ingest, [300], until=MIDDAY - timedelta(hours=1) + timedelta(days=1))
    await insights.jobs.look()
    before = await days_of(insights)
    clock.advance(2.5 * 3600)

    await insights.jobs.look()

    assert before == []
    (found,) = await days_of(insights)
    assert (found.begins_at, found.ends_at) == (MIDDAY - timedelta(hours=22), MIDDAY + timedelta(hours=2))
    assert (found.zone, found.actual_micro_rub) == ("Asia/Vladivostok", 900 * ROUBLE)
    assert told.events[-1][2]["summary_ru"].startswith("23.11.2026 расход 900")


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-11-22"])
def test_a_day_of_an_incident_is_one_whatever_clocks_do(day: str) -> None:
    """Of 23, 25 and 24 hours."""
    zone = ZoneInfo("Europe/Berlin")
    begins_at = datetime.fromisoformat(day).replace(tzinfo=zone)
    ends_at = begins_at + timedelta(days=1)

    found = Incident("0", USER, Grain.DAY, begins_at.astimezone(UTC), ends_at.astimezone(UTC), 1, 9, NO_CAUSE, ends_at)

    assert replace(found, zone="Europe/Berlin").days == 1


async def test_days_missed_while_the_service_was_down_are_judged(ingest: Ingest, insights: Insights) -> None:
    """A dear day of three days ago is found, and the days after it are not blamed."""
    await spend(ingest, [300] * 30 + [900, 300, 300])

    await insights.jobs.look()

    assert [each.begins_at.date() for each in await incidents_of(insights)] == [TODAY - timedelta(days=3)]


async def test_what_was_expected_raises_the_bar_of_the_like(
    ingest: Ingest, insights: Insights, clock: FakeClock, told
) -> None:
    """An expected day counts as history: the same again is none, more is one."""
    await spend(ingest, [300, 310] * 15 + [900])
    await insights.jobs.look()
    (first,) = await incidents_of(insights)
    await insights.anomalies.say(USER, first.id, Feedback.EXPECTED)
    await spend(ingest, [900], until=MIDDAY + timedelta(days=1))
    clock.advance(86_400)

    await insights.jobs.look()

    assert [each.feedback for each in await incidents_of(insights)] == [Feedback.EXPECTED]


async def test_an_hour_that_runs_away_is_found_while_it_runs(
    ingest: Ingest, insights: Insights, told, clock: FakeClock, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """100 roubles at this hour of other weeks, 500 by ten models half an hour into this one: found at the next look."""
    noons = [100 if day % 7 == 0 else 0 for day in range(28, 0, -1)]
    await spend(ingest, noons)
    clock.advance(1800)
    writer = Writer(USER, NUMBERS)
    await ingest.record(
        [
            writer.row(MIDDAY + timedelta(minutes=minute), cost_micro_rub=50 * ROUBLE, model=f"model-{minute}")
            for minute in range(10)
        ]
    )
    other = insights_on(pool, told, clock=clock)

    new = sum(await asyncio.gather(insights.anomalies.watch_hours(), other.anomalies.watch_hours()))
    again = await insights.anomalies.watch_hours()

    (found,) = await incidents_of(insights)
    assert (found.grain, found.begins_at, found.actual_micro_rub) == (Grain.HOUR, MIDDAY, 500 * ROUBLE)
    assert (new, again, len(told.events)) == (1, 0, 1)


async def test_a_dear_hour_is_stored_before_the_next_one_is_judged(
    ingest: Ingest, clock: FakeClock, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Two instances that find the same ones in different orders would wait for each other, and one lose all of them."""
    users = ["user-1", "user-2"]
    for user in users:
        await spend(ingest, [100 if day % 7 == 0 else 0 for day in range(28, 0, -1)], user_id=user)
        await ingest.record([Writer(user, NUMBERS).row(MIDDAY, cost_micro_rub=500 * ROUBLE)])
    clock.advance(1800)
    stored = []

    async def tell(*_: Any, **__: Any) -> None:
        stored.append(await pool.fetchval("SELECT count(*) FROM usage.incidents"))

    assert await insights_on(pool, tell, clock=clock).anomalies.watch_hours() == len(users)
    assert stored == [0, 1]


async def test_an_hour_like_those_of_other_weeks_is_left_alone(
    ingest: Ingest, insights: Insights, clock: FakeClock
) -> None:
    """A weekly batch is none."""
    await spend(ingest, [400 if day % 7 == 0 else 0 for day in range(28, 0, -1)])
    clock.advance(1800)
    await ingest.record([Writer(USER, NUMBERS).row(MIDDAY, cost_micro_rub=500 * ROUBLE)])

    assert await insights.anomalies.watch_hours() == 0


@pytest.mark.parametrize(("cost", "new"), [(290, 0), (310, 1)])
async def test_a_mean_hour_is_that_of_the_days_since_somebody_began(
    ingest: Ingest, insights: Insights, clock: FakeClock, cost: int, new: int
) -> None:
    """2,400 roubles a day for twelve days are a hundred an hour, not the 43 of four weeks that were not there."""
    await spend(ingest, [2_400] * 12, until=MIDDAY - timedelta(hours=1))
    clock.advance(1800)
    await ingest.record([Writer(USER, NUMBERS).row(MIDDAY, cost_micro_rub=cost * ROUBLE)])

    assert await insights.anomalies.watch_hours() == new


async def test_feedback_to_somebody_elses_incident_is_not_found(ingest: Ingest, insights: Insights) -> None:
    """Nor to none, nor to what is no id."""
    await spend(ingest, [300] * 30 + [900])
    await insights.jobs.look()
    (found,) = await incidents_of(insights)

    for user_id, incident in (("eve", found.id), (USER, found.id[:-1] + "0"), (USER, "x")):
        with pytest.raises(NotFound):
            await insights.anomalies.say(user_id, incident, Feedback.EXPECTED)
    assert await incidents_of(insights, "eve") == []
    with pytest.raises(InvalidRequest):
        await insights.anomalies.list_of(USER, MIDDAY, MIDDAY, 0)


def test_the_bar_is_above_every_day_of_four_weeks() -> None:
    """A level that wobbles is no string of anomalies."""
    wobbling = [100.0, 130.0] * 20

    judgement = judge_next_day(wobbling)

    assert judgement is not None
    assert judgement.bar >= 143.0
    assert judge_next_day(wobbling, forgiven=2).bar > judgement.bar  # type: ignore[union-attr]


def test_nine_days_are_too_few_to_judge_and_ten_are_enough() -> None:
    """AWS asks for ten, too."""
    assert judge_next_day([0.0] * 50 + [100.0] * 9) is None
    assert judge_next_day([0.0] * 50 + [100.0] * 10) is not None


def test_an_hour_at_an_unusual_time_is_measured_by_a_mean_hour() -> None:
    """Who never worked at night may, as long as it costs no more than by day."""
    assert judge_hour([0, 0, 0, 0], 2400.0).bar == 300.0
    assert judge_hour([50, 200, 0, 0], 2400.0).bar == 600.0
    assert judge_hour([], 2400.0, forgiven=1).bar == 400.0


def test_the_cause_is_what_grew_most_and_tells_most() -> None:
    """A key rather than its provider, when both explain all of it."""
    candidates = [Cause("provider", "p", 10, 90), Cause("key", "k", 10, 90), Cause("model", "m", 0, 70)]

    assert root_cause(candidates).value == "k"
    assert root_cause([]) is NO_CAUSE


def test_what_lasts_longer_than_a_week_is_how_things_are() -> None:
    """Its days stay in the history; those of a short one are taken as they should have been."""
    begins_at = datetime(2026, 11, 3, tzinfo=UTC)

    def incident(days: int, feedback: Feedback = Feedback.NONE) -> Incident:
        ends_at = begins_at + timedelta(days=days)
        return Incident("0", USER, Grain.DAY, begins_at, ends_at, 10 * days, 90 * days, NO_CAUSE, ends_at, feedback)

    costs, first = [10, 90, 90, 10], datetime(2026, 11, 2, tzinfo=UTC).date()

    assert without_incidents(first, costs, [incident(2)]) == [10, 10, 10, 10]
    assert without_incidents(first, costs, [incident(2, Feedback.EXPECTED)]) == costs
    assert without_incidents(first, costs, [incident(8)]) == costs
