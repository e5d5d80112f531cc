"""Patterns from real rows: all of them together, none of an even user's, each user once a day."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import asyncpg

from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from services.usage.catalog_facts.domain.facts import DatedPrice
from services.usage.catalog_facts.store import FactsStore
from services.usage.domain.record import UsageRecord
from services.usage.forecasting.forecaster import Forecaster
from services.usage.forecasting.store import ForecastStore
from services.usage.ingest import Ingest
from services.usage.insights.analysis import Asked
from services.usage.insights.assembly import Insights
from services.usage.insights.domain.finding import Pattern
from services.usage.insights.domain.material import LimitUse
from services.usage.insights.store.sessions import Sessions
from services.usage.statistics.store import StatisticsStore
from services.usage.tests.catalog_facts.models import DEAR
from services.usage.tests.insights.assembled import insights_on
from services.usage.tests.insights.story import ASKED, ROUBLE, Writer, even, eventful, wasteful, write


async def test_every_pattern_is_found_in_rows_in_which_it_shows(ingest: Ingest, insights: Insights) -> None:
    """One user's two months, through rollups and scans; keys are called by their names."""
    await write(ingest, "user-1", eventful)

    found = await insights.analysis.patterns("user-1", ASKED)

    assert {each.pattern for each in found.findings} == set(Pattern)
    by_pattern = {each.pattern: each for each in found.findings}
    assert by_pattern[Pattern.PEAK_HOURS].evidence["hours"] == "10"
    assert by_pattern[Pattern.IDLE_KEY].evidence["key"] == "ci-old"
    assert by_pattern[Pattern.ERROR_HOTSPOT].subject == "key-2/yandexgpt:latest/rate_limit_exceeded"
    assert by_pattern[Pattern.RETRY_STORM].evidence["series"] == 24
    assert by_pattern[Pattern.CHEAPER_MODEL].evidence["other"] == "yandexgpt-lite:latest"


async def test_nothing_is_found_in_the_rows_of_an_even_user(ingest: Ingest, insights: Insights) -> None:
    """Who calls evenly, alike and without errors is left in peace; the change to the month before is always told."""
    await write(ingest, "user-2", even)

    found = await insights.analysis.patterns("user-2", Asked())

    assert {each.pattern for each in found.findings} <= {Pattern.DRIVER_SPLIT}


async def test_a_limit_is_told_for_the_day_on_which_the_evenings_spending_reaches_it(
    ingest: Ingest, insights: Insights
) -> None:
    """100 roubles each day at ten in the evening: at noon all of today's is to come, as the forecast has it."""
    await write(ingest, "user-1", evenings)

    found = await insights.analysis.patterns(
        "user-1", Asked(limits=(LimitUse("month", 1_000 * ROUBLE, 800 * ROUBLE, MIDDAY + timedelta(days=7)),))
    )

    (eta,) = [each for each in found.findings if each.pattern is Pattern.LIMIT_ETA]
    assert eta.evidence["day"] == (MIDDAY + timedelta(days=1)).date().isoformat()


async def test_a_limit_is_told_for_the_day_that_the_forecast_tells_where_a_price_is_to_change(
    ingest: Ingest, insights: Insights, pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock
) -> None:
    """From tomorrow on a day costs 400 roubles in place of 100: what is foretold of one budget is foretold once."""
    await write(ingest, "user-1", evenings)
    dearer = DatedPrice("2026-11-24", 3_200_000, 3_200_000, None, clock.now().replace(hour=0) + timedelta(days=1))
    await FactsStore(pool).put([replace(DEAR, prices=(*DEAR.prices, dearer))])
    limit = LimitUse("month", 1_000 * ROUBLE, 700 * ROUBLE, MIDDAY + timedelta(days=7))

    found = await insights.analysis.patterns("user-1", Asked(limits=(limit,)))

    (eta,) = [each for each in found.findings if each.pattern is Pattern.LIMIT_ETA]
    ends_on = limit.ends_at.date()
    forecaster = Forecaster(StatisticsStore(pool), FactsStore(pool), ForecastStore(pool), clock=clock)
    foretold = await forecaster.limit_dates(
        "user-1", "UTC", limit_micro_rub=limit.limit_micro_rub, spent_micro_rub=limit.spent_micro_rub, ends_on=ends_on
    )
    told = [date.fromisoformat(str(eta.evidence[name])) for name in ("day", "early", "late")]
    assert told == [foretold.on, foretold.earliest, foretold.latest] == [(MIDDAY + timedelta(days=1)).date()] * 3


def evenings(writer: Writer) -> Iterator[UsageRecord]:
    """Yield a request of each of the last forty evenings."""
    for ago in range(40, 0, -1):
        yield writer.row((MIDDAY - timedelta(days=ago)).replace(hour=22), cost_micro_rub=100 * ROUBLE)


async def test_others_rows_are_nobodys_pattern(ingest: Ingest, insights: Insights) -> None:
    """A user without rows has none."""
    await write(ingest, "user-1", wasteful)

    assert (await insights.analysis.patterns("user-3", Asked())).findings == ()


async def test_what_was_found_today_is_not_looked_for_again(
    ingest: Ingest, insights: Insights, clock: FakeClock
) -> None:
    """Scans are made once a day; the next day they are made anew."""
    await write(ingest, "user-1", wasteful)
    first = await insights.analysis.patterns("user-1", Asked())
    clock.advance(3600)
    again = await insights.analysis.patterns("user-1", Asked())

    clock.advance(86_400)
    await insights.jobs.look()
    tomorrow = await insights.analysis.patterns("user-1", Asked())

    assert first.analysed_at == again.analysed_at < tomorrow.analysed_at


async def test_what_a_later_release_found_is_looked_for_again(
    ingest: Ingest, insights: Insights, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Beside it, or after the way back: a pattern that this one does not know is no failure until tomorrow."""
    await write(ingest, "user-1", wasteful)
    first = await insights.analysis.patterns("user-1", Asked())
    later = """UPDATE usage.insight_users SET findings = jsonb_set(findings, '{0,pattern}', '"of_later"')"""
    async with pool.acquire() as connection:
        await connection.execute("SELECT set_config('razvilka.user', '*', false)")
        assert await connection.execute(later) == "UPDATE 1"

    again = await insights.analysis.patterns("user-1", Asked())

    assert {each.pattern for each in again.findings} == {each.pattern for each in first.findings}


async def test_two_instances_analyse_everybody_once(
    ingest: Ingest, insights: Insights, pool: asyncpg.Pool[asyncpg.Record], told, clock: FakeClock
) -> None:
    """Incidents, advice and events are there once, whoever looked, and looking again adds none."""
    await write(ingest, "user-1", eventful)
    await write(ingest, "user-2", wasteful, first=10_000)
    other = insights_on(pool, told, clock=clock)

    await asyncio.gather(insights.jobs.look(), other.jobs.look())
    once = await _counts(pool)
    await other.jobs.look()

    assert await _counts(pool) == once
    assert once["incidents"] == len({facts["incident"] for _, _, facts in told.events}) == len(told.events) >= 1
    assert once["recommendations"] >= 5


async def _counts(pool: asyncpg.Pool[asyncpg.Record]) -> dict[str, int]:
    async with Sessions(pool).of_everybody() as connection:
        return {
            table: await connection.fetchval(f"SELECT count(*) FROM usage.{table}")
            for table in ("insight_users", "incidents", "recommendations")
        }


async def test_who_does_next_to_nothing_is_analysed_when_they_ask(
    ingest: Ingest, insights: Insights, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Nobody's night is spent on a request a day."""
    await write(ingest, "user-1", wasteful)

    await insights.jobs.look()
    without_asking = await _counts(pool)
    await insights.analysis.patterns("user-1", Asked())

    assert without_asking["insight_users"] == 0
    assert (await _counts(pool))["insight_users"] == 1
