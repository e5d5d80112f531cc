"""From a past to an answer: months, limits, prices to come, the day that runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.usage.catalog_facts.domain.facts import DatedPrice, Facts
from services.usage.forecasting.domain.accuracy import Kept
from services.usage.forecasting.domain.answer import Past, answer, outlook_of
from services.usage.forecasting.domain.forecast import Limit, LimitDates, Question
from services.usage.forecasting.domain.outlook import MethodName, Refusal
from services.usage.forecasting.domain.prices import ModelUse
from services.usage.forecasting.domain.what_if import OtherModel, ShortCalls
from services.usage.tests.catalog_facts.models import CHEAP, DEAR, JULY

MOSCOW = ZoneInfo("Europe/Moscow")
RUB = 1_000_000
QUESTION = Question("user-1", "Europe/Moscow", horizon=35)
USE = ModelUse(DEAR.model, tokens_input=1000, tokens_output=1000, tokens_cached=0, cost_micro_rub=1_600_000)


def past(*days, now=datetime(2026, 11, 24, 0, 0, tzinfo=MOSCOW), **changes) -> Past:
    """A past of these full days and nothing today."""
    nothing = Past(now, days, 0, [0] * 24, (), Facts([]), ())
    return replace(nothing, **changes)


def steady(days=84, cost=100 * RUB, **changes) -> Past:
    return past(*[cost] * days, **changes)


def test_a_steady_spender_is_told_the_months_cost_to_the_rouble():
    """23 days are over, 7 are to come, today among them."""
    found = answer(QUESTION, steady())

    assert (found.month_end.last_day, found.month_end.spent) == (date(2026, 11, 30), 2300 * RUB)
    assert found.month_end.band is not None
    assert (found.month_end.band.p10, found.month_end.band.p50, found.month_end.band.p90) == (3000 * RUB,) * 3
    assert [point.band.p50 for point in found.points] == [100 * RUB] * 35
    assert [found.points[0].day, found.points[-1].day] == [date(2026, 11, 24), date(2026, 12, 28)]


@pytest.mark.parametrize(
    ("now", "last_day", "days"),
    [
        (datetime(2026, 11, 1, tzinfo=MOSCOW), date(2026, 11, 30), 30),
        (datetime(2026, 11, 30, tzinfo=MOSCOW), date(2026, 11, 30), 30),
        (datetime(2026, 12, 31, tzinfo=MOSCOW), date(2026, 12, 31), 31),
        (datetime(2027, 2, 3, tzinfo=MOSCOW), date(2027, 2, 28), 28),
        (datetime(2028, 2, 29, tzinfo=MOSCOW), date(2028, 2, 29), 29),
    ],
)
def test_a_month_has_as_many_days_as_it_has(now, last_day, days):
    found = answer(QUESTION, steady(now=now))

    assert found.month_end.last_day == last_day
    assert found.month_end.band is not None
    assert found.month_end.band.p50 == days * 100 * RUB


def test_a_day_that_changes_its_clock_is_one_day():
    berlin = ZoneInfo("Europe/Berlin")
    found = answer(QUESTION, steady(now=datetime(2026, 10, 24, 12, tzinfo=berlin)))

    assert [point.day.day for point in found.points[:3]] == [24, 25, 26]
    assert found.as_of == datetime(2026, 10, 24, 10, tzinfo=UTC)


def test_what_today_has_cost_is_not_counted_twice():
    """At noon, with half of a day's spending usually over, half of it spent."""
    noon = datetime(2026, 11, 24, 12, tzinfo=MOSCOW)
    found = answer(QUESTION, steady(now=noon, spent_today=50 * RUB))

    assert found.month_end.spent == 2350 * RUB
    assert found.month_end.band is not None
    assert found.month_end.band.p50 == pytest.approx(3000 * RUB)
    assert found.points[0].band.p50 == pytest.approx(100 * RUB)


def test_a_limit_is_reached_on_the_day_that_spending_crosses_it():
    """2,300 roubles are spent; the 24th makes 2,400, the 25th 2,500."""
    limit = Limit(2500 * RUB)

    found = answer(replace(QUESTION, limit=limit), steady())

    assert found.limit == LimitDates(2500 * RUB, 2300 * RUB, *[date(2026, 11, 25)] * 3)


def test_a_limit_of_the_month_that_lasts_to_its_end_has_no_date():
    found = answer(replace(QUESTION, limit=Limit(3001 * RUB)), steady())

    assert found.limit == LimitDates(3001 * RUB, 2300 * RUB, None, None, None)


def test_a_limit_without_end_may_be_reached_next_month():
    found = answer(replace(QUESTION, limit=Limit(10_000 * RUB, spent=9_000 * RUB)), steady())

    assert found.limit is not None
    assert found.limit.on == date(2026, 12, 3)


def test_a_limit_that_ends_before_it_is_reached_has_no_date():
    limit = Limit(10_000 * RUB, spent=9_000 * RUB, ends_on=date(2026, 12, 3))

    found = answer(replace(QUESTION, limit=limit), steady())

    assert found.limit is not None
    assert found.limit.on is None


def test_a_limit_that_is_spent_is_reached_today_whatever_comes():
    found = answer(replace(QUESTION, limit=Limit(2300 * RUB)), steady(days=2, spent_today=2200 * RUB))

    assert found.outlook.refusal is Refusal.SHORT_HISTORY
    assert found.limit == LimitDates(2300 * RUB, 2400 * RUB, *[date(2026, 11, 24)] * 3)


def test_uncertain_spending_has_an_earliest_and_a_latest_day():
    noisy = [(80 + 40 * (day * 7919 % 11) // 10) * RUB for day in range(84)]

    found = answer(replace(QUESTION, limit=Limit(10_000 * RUB, spent=8_500 * RUB)), past(*noisy))

    assert found.limit is not None
    assert found.limit.earliest is not None
    assert found.limit.on is not None
    assert found.limit.latest is not None
    assert found.limit.earliest < found.limit.on < found.limit.latest


def test_without_a_forecast_there_is_what_was_spent_and_why():
    found = answer(QUESTION, steady(days=2, spent_today=5))

    assert (found.points, found.month_end.band, found.outlook.refusal) == ((), None, Refusal.SHORT_HISTORY)
    assert found.month_end.spent == 200 * RUB + 5


def test_who_spends_on_few_days_is_told_sums_and_no_days():
    found = answer(QUESTION, past(*[1000 * RUB, 0, 0, 0, 1000 * RUB, 0, 0] * 12))

    assert (found.outlook.method, found.points) == (MethodName.ACTIVE_DAYS, ())


def test_a_dearer_price_from_a_date_on_makes_days_from_then_dearer():
    """The catalogue knows of it: a quarter more from the first of December on."""
    december = datetime(2026, 12, 1, tzinfo=MOSCOW)
    model = replace(DEAR, prices=(*DEAR.prices, DatedPrice("2026-12-01", 1_000_000, 1_000_000, None, december)))

    found = answer(QUESTION, steady(uses=(USE,), facts=Facts([model])))

    assert [(change.day, change.share) for change in found.price_changes] == [(date(2026, 12, 1), 0.25)]
    costs = {point.day: point.band.p50 for point in found.points}
    assert (costs[date(2026, 11, 30)], costs[date(2026, 12, 1)]) == (100 * RUB, 125 * RUB)


def test_days_before_a_price_changed_count_by_the_price_of_today():
    """In June the same use cost half as much again; the forecast is not dearer for that."""
    now = datetime(2026, 7, 15, tzinfo=MOSCOW)
    days = [150 * RUB] * 70 + [100 * RUB] * 14

    found = answer(QUESTION, past(*days, now=now, uses=(USE,), facts=Facts([DEAR])))

    assert JULY.date() == date(2026, 7, 1)
    assert {point.band.p50 for point in found.points} == {100 * RUB}
    assert found.price_changes == ()


def test_only_the_share_of_a_model_gets_dearer_with_it():
    december = datetime(2026, 12, 1, tzinfo=MOSCOW)
    model = replace(DEAR, prices=(*DEAR.prices, DatedPrice("2026-12-01", 1_600_000, 1_600_000, None, december)))
    unknown = ModelUse("other", 10, 10, 0, 3 * 1_600_000)

    found = answer(QUESTION, steady(uses=(USE, unknown), facts=Facts([model])))

    assert [change.share for change in found.price_changes] == [pytest.approx(0.25)]


@pytest.mark.parametrize("paid", [0, 400_000, 800_000])
def test_what_caches_and_batches_spare_is_not_spent_when_a_price_changes(paid):
    """A model of which nothing, or half, is paid: only what is paid of it gets dearer, and its days were not dearer."""
    december = datetime(2026, 12, 1, tzinfo=MOSCOW)
    begun = datetime(2026, 11, 1, tzinfo=MOSCOW)
    prices = (
        DatedPrice("first", 800_000, 800_000, None, begun),
        DatedPrice("second", 1_600_000, 1_600_000, None, december),
    )
    spared, unknown = replace(USE, cost_micro_rub=paid), ModelUse("other", 10, 10, 0, 1_600_000)

    found = answer(QUESTION, steady(uses=(spared, unknown), facts=Facts([replace(DEAR, prices=prices)])))

    share = paid / (paid + 1_600_000)
    assert [change.share for change in found.price_changes] == ([pytest.approx(share)] if paid else [])
    assert found.points[0].band.p50 == 100 * RUB


def test_short_calls_by_a_cheaper_model_spare_what_their_tokens_cost_less():
    """A tenth of all is short; the other model costs a quarter."""
    short = ModelUse(DEAR.model, 10_000, 10_000, 0, 16 * RUB)
    other = OtherModel(CHEAP.model, CHEAP.prices[0])
    uses = (replace(USE, cost_micro_rub=160 * RUB),)

    found = answer(QUESTION, steady(uses=uses, short=(ShortCalls(20, (short,)), other)))

    assert found.what_if is not None
    assert (found.what_if.cost_micro_rub, found.what_if.would_cost_micro_rub) == (16 * RUB, 4 * RUB)
    assert found.what_if.factor == pytest.approx(1 - 12 / 160)
    assert found.month_end.what_if is not None
    assert found.month_end.what_if.p50 == 2300 * RUB + round(700 * RUB * (1 - 12 / 160))


def test_what_a_cheaper_model_spares_of_a_month_is_at_todays_prices():
    """All calls are short. The dear model took 0.8 until now and takes 0.4, the other one 0.2: half, not a quarter."""
    today = DatedPrice("today", 400_000, 400_000, None, steady().now - timedelta(hours=1))
    dear = replace(DEAR, prices=(*DEAR.prices, today))
    asked = (ShortCalls(20, (USE,)), OtherModel(CHEAP.model, CHEAP.prices[0]))

    found = answer(QUESTION, steady(uses=(USE,), facts=Facts([dear]), short=asked))

    assert found.what_if is not None
    assert found.what_if.factor == pytest.approx(0.5, rel=0.05)


def test_bands_that_failed_lately_are_wider():
    noisy = [(80 + 40 * (day * 7919 % 11) // 10) * RUB for day in range(84)]
    missed = [Kept(date(2026, 11, 1) + timedelta(day), 0, 1, 2, 3) for day in range(20)]
    held = [replace(each, actual=1) for each in missed]

    wide, narrow = (outlook_of(past(*noisy, kept=kept)).radii.of_sum(1) for kept in (missed, held))

    assert wide > narrow


amounts = st.integers(0, 10**12)
wild = st.lists(amounts, min_size=84, max_size=84)
usual = st.lists(st.integers(60 * RUB, 140 * RUB), min_size=84, max_size=84)


@settings(max_examples=40)
@given(
    days=wild | usual,
    spent_today=amounts,
    by_hour=st.lists(amounts, min_size=24, max_size=24),
    now=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(MOSCOW)),
    limit=st.integers(1, 10**14),
)
def test_every_band_is_in_order_and_never_below_what_is_spent(days, spent_today, by_hour, now, limit):
    found = answer(
        replace(QUESTION, limit=Limit(limit)), past(*days, now=now, spent_today=spent_today, by_hour=by_hour)
    )

    month = found.month_end
    assert month.spent == spent_today + sum(days[len(days) - now.day + 1 :])
    for band, least in [
        *((point.band, 0) for point in found.points),
        *([(month.band, month.spent)] if month.band else []),
    ]:
        assert least <= band.p10 <= band.p50 <= band.p90
    if found.points:
        assert found.points[0].band.p10 >= spent_today
        # The month's p50 is the sum of its days.
        left = [point.band.p50 for point in found.points if point.day <= month.last_day]
        assert month.band is not None
        assert month.band.p50 == pytest.approx(month.spent - spent_today + sum(left), abs=len(left) + 1)
    assert found.limit is not None
    if found.limit.on is not None:
        assert found.limit.earliest is not None
        assert found.limit.earliest <= found.limit.on <= (found.limit.latest or date.max)
