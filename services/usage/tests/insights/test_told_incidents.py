"""What an incident says: of which days or hour its sums are, what was expected of them, and what they come from."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from services.usage.ingest import Ingest
from services.usage.insights.assembly import Insights
from services.usage.insights.domain.anomaly import Cause
from services.usage.insights.domain.incident import Feedback, Grain, Incident
from services.usage.tests.insights.story import ROUBLE, Writer
from services.usage.tests.insights.test_anomalies import NUMBERS, USER, days_of, incidents_of, spend


def test_an_incident_says_of_what_time_its_figures_are() -> None:
    """Of two days and of one hour it said what one day had cost; the hour is one of the user's clock."""
    cause = Cause("key", "key-1", 600 * ROUBLE, 1900 * ROUBLE)
    ends_at = MIDDAY.replace(hour=21)
    found = Incident("0", USER, Grain.DAY, ends_at - timedelta(days=2), ends_at, 600, 1900, cause, ends_at)
    days = replace(found, zone="Europe/Moscow", expected_micro_rub=600 * ROUBLE, actual_micro_rub=1900 * ROUBLE)
    hour = replace(days, grain=Grain.HOUR, begins_at=ends_at - timedelta(hours=1), zone="Asia/Kolkata")

    shown = [each.as_finding().texts for each in (days, replace(days, begins_at=ends_at - timedelta(days=1)), hour)]

    assert [texts["ru"].partition(" расход")[0] for texts in shown] == [
        "С 22.11.2026 по 23.11.2026",
        "23.11.2026",
        "24.11.2026 за час 01:30–02:30 (Asia/Kolkata)",
    ]
    assert [texts["en"].partition(" was")[0] for texts in shown] == [
        "From 22 Nov 2026 to 23 Nov 2026 spending",
        "On 23 Nov 2026 spending",
        "On 24 Nov 2026 spending in the hour 01:30–02:30 (Asia/Kolkata)",
    ]


def test_the_cause_of_several_days_is_their_sum_or_the_one_that_grew_more() -> None:
    """That of the last day alone stood beside what all of them had cost."""
    first, same, other = Cause("key", "a", 10, 90), Cause("key", "a", 10, 50), Cause("model", "b", 10, 60)

    assert first.joined(same) == Cause("key", "a", 20, 140)
    assert first.joined(other) == first
    assert other.joined(first) == first


async def test_who_began_two_weeks_ago_is_compared_with_the_weeks_that_there_are(
    ingest: Ingest, insights: Insights, clock: FakeClock, told
) -> None:
    """A quarter of what every week had was expected of the day's cause and of the hour: more than all was too much."""
    await spend(ingest, [300] * 14 + [900])
    await insights.jobs.look()
    (day,) = await days_of(insights)
    clock.advance(1800)
    await ingest.record([Writer(USER, NUMBERS).row(MIDDAY, cost_micro_rub=4000 * ROUBLE)])

    await insights.anomalies.watch_hours()

    assert day.cause == Cause("key", "key-1", 300 * ROUBLE, 900 * ROUBLE)
    (hour,) = [each for each in await incidents_of(insights) if each.grain is Grain.HOUR]
    assert (hour.expected_micro_rub, hour.cause.expected_micro_rub) == (300 * ROUBLE, 300 * ROUBLE)
    assert "in the hour 12:00–13:00 (UTC) was ₽4,000" in told.events[-1][2]["summary_en"]


@pytest.mark.parametrize(("cost", "new"), [(3000, 0), (3400, 1)])
async def test_a_batch_of_each_month_is_expected_once_it_was_said_to_be(
    ingest: Ingest, insights: Insights, clock: FakeClock, cost: int, new: int
) -> None:
    """The four weeks before it had none, and a usual day's miss raised the bar by little: it was told each month."""
    await spend(ingest, [*[20] * 30, 3000])
    await insights.jobs.look()
    (batch,) = await days_of(insights)
    await insights.anomalies.say(USER, batch.id, Feedback.EXPECTED)
    clock.advance(31 * 86_400)
    await spend(ingest, [*[20] * 30, cost], until=MIDDAY + timedelta(days=31))

    await insights.jobs.look()

    assert len(await days_of(insights)) == 1 + new


@pytest.mark.parametrize(("cost", "new"), [(3000, 0), (3400, 1)])
async def test_an_hour_is_expected_at_what_was_said_to_be(
    ingest: Ingest, insights: Insights, clock: FakeClock, cost: int, new: int
) -> None:
    """Thirty times a mean hour, once a month."""
    await spend(ingest, [300] * 30)
    await ingest.record([Writer(USER, NUMBERS).row(MIDDAY + timedelta(hours=2), cost_micro_rub=3000 * ROUBLE)])
    clock.advance(2.5 * 3600)
    assert await insights.anomalies.watch_hours() == 1
    (hour,) = [each for each in await incidents_of(insights) if each.grain is Grain.HOUR]
    await insights.anomalies.say(USER, hour.id, Feedback.EXPECTED)
    clock.advance(31 * 86_400)
    at = MIDDAY + timedelta(days=31, hours=2)
    await ingest.record([Writer(USER, NUMBERS).row(at, cost_micro_rub=cost * ROUBLE)])

    assert await insights.anomalies.watch_hours() == new
