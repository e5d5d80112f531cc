"""What is foretold from which history."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.usage.forecasting.domain.half import half, seasonal_naive, smoothed_level, weekday_shares
from services.usage.forecasting.domain.outlook import MethodName, Refusal, outlook
from services.usage.forecasting.domain.radii import HORIZON_MAX, Radii, upper_quantile

WEEKLY = [100.0, 110.0, 120.0, 110.0, 90.0, 20.0, 10.0]
amounts = st.integers(0, 10**10).map(float)
histories = st.lists(amounts, min_size=0, max_size=120)


@pytest.mark.parametrize(
    ("days", "method"),
    [
        (0, MethodName.NONE),
        (2, MethodName.NONE),
        (3, MethodName.MEAN),
        (6, MethodName.MEAN),
        (7, MethodName.SEASONAL_NAIVE),
        (27, MethodName.SEASONAL_NAIVE),
        (28, MethodName.HALF),
        (200, MethodName.HALF),
    ],
)
def test_the_length_of_the_history_chooses_the_method(days, method):
    found = outlook((WEEKLY * 30)[:days])

    assert found.method is method
    assert (found.refusal is Refusal.SHORT_HISTORY) == (method is MethodName.NONE)
    assert found.is_preliminary == (days < 7)


def test_days_before_the_first_spending_are_no_history():
    found = outlook([0.0] * 60 + WEEKLY)

    assert (found.method, found.history_days) == (MethodName.SEASONAL_NAIVE, 7)


@pytest.mark.parametrize("weeks", [2, 4, 12])
def test_a_steady_week_is_foretold_exactly_and_surely(weeks):
    found = outlook(WEEKLY * weeks)

    assert found.expected == pytest.approx(WEEKLY * 5)
    if weeks >= 4:
        assert found.radii.of_sum(28) == pytest.approx(0, abs=1e-6)


def test_half_goes_half_of_the_way_to_a_new_level():
    """After a week of twice as much the smoothed part may lag, the week ago does not."""
    days = WEEKLY * 11 + [2 * day for day in WEEKLY]

    assert 1.5 * sum(WEEKLY) <= sum(half(days, 7)) <= 2.001 * sum(WEEKLY)


def test_one_odd_day_makes_no_weekday():
    odd = WEEKLY * 8
    odd[16] *= 30

    assert weekday_shares(odd)[2] == pytest.approx(weekday_shares(WEEKLY * 8)[2], rel=1e-6)


@pytest.mark.parametrize(("weeks", "ago"), [(2, 1), (3, 6), (12, 1), (12, 6)])
def test_what_happened_once_is_not_foretold_for_each_week(weeks, ago):
    """Half of a day that cost fifty was foretold for each of the next four weeks, in a band that it was alone in."""
    days = WEEKLY * weeks
    days[-ago] = 5_000.0

    found = outlook(days)

    assert found.expected == pytest.approx(WEEKLY * 5, rel=0.05)


def test_what_happens_twice_or_may_be_weekly_is_foretold():
    """A batch of two months, and one in the only week in which its weekday was seen."""
    two_months = WEEKLY * 12
    two_months[-3] = two_months[-31] = 5_000.0

    assert outlook(two_months).expected[4] > 2_000
    assert outlook([*WEEKLY[:6], 5_000.0]).expected[6] == 5_000


@pytest.mark.parametrize("weeks", [2, 3, 4, 12])
def test_days_that_have_no_week_in_them_are_foretold_by_the_mean_of_the_last_one(weeks):
    """Of 100 and 140 in turn the last week again has every day wrong."""
    days = [100.0, 140.0] * 42

    found = outlook(days[-7 * weeks :])

    assert found.expected == pytest.approx([sum(days[-7:]) / 7] * 35, rel=0.06)


def test_quiet_weekdays_say_nothing_of_the_level():
    """A Sunday of next to nothing, divided by its share, would be any number."""
    days = [100.0] * 6 + [0.001]

    assert half(days * 5 + [100.0] * 6 + [0.002], 7) == pytest.approx([100.0] * 6 + [0.0015], rel=0.05, abs=0.001)


def test_the_level_follows_what_has_changed_for_good():
    assert smoothed_level([10.0] * 30 + [50.0] * 30) == pytest.approx(50, rel=0.01)


def test_wild_spending_is_refused_not_foretold():
    days = [float(10 ** (1 + (at * 7919 % 13) % 5)) for at in range(84)]

    assert outlook(days).refusal is Refusal.IRREGULAR


def test_one_day_without_spending_after_a_steady_month_is_no_irregularity():
    """Weeks that had too few misses to count are wide in the band, and do not refuse it."""
    assert outlook([*WEEKLY * 4, *WEEKLY[:2], 0.0]).refusal is None


def test_who_pauses_more_than_spends_is_given_sums_only():
    found = outlook([700.0, 0, 0, 700.0, 0, 0, 0] * 8)

    assert found.method is MethodName.ACTIVE_DAYS
    assert not found.days_are_meant
    assert found.sum_of(28) == pytest.approx(28 * 200)


def test_the_last_week_is_repeated():
    assert seasonal_naive([0.0, *WEEKLY], 9) == [*WEEKLY, *WEEKLY[:2]]


@given(history=histories)
def test_forecasts_are_never_negative_and_bands_widen_with_distance(history):
    found = outlook(history)

    assert all(day >= 0 for day in found.expected)
    assert list(found.radii.daily) == sorted(found.radii.daily)
    assert list(found.radii.weekly) == sorted(found.radii.weekly)
    if found.expected:
        sums = [found.radii.of_sum(days) for days in range(HORIZON_MAX + 1)]
        assert sums == sorted(sums)
        assert len(found.expected) == HORIZON_MAX


@given(history=st.lists(amounts, max_size=90), power=st.integers(-3, 10))
def test_twice_the_spending_is_twice_the_forecast(history, power):
    """By powers of two, which lose nothing in floating point."""
    found, scaled = outlook(history), outlook([day * 2.0**power for day in history])

    assert scaled.expected == tuple(day * 2.0**power for day in found.expected)
    assert scaled.radii.daily == tuple(radius * 2.0**power for radius in found.radii.daily)
    assert (scaled.method, scaled.refusal) == (found.method, found.refusal)


@given(history=st.lists(amounts, min_size=14, max_size=90))
def test_weekday_shares_are_those_of_one_week(history):
    assert sum(weekday_shares(history)) == pytest.approx(7)


def test_a_week_is_as_wide_as_misses_of_weeks_not_seven_times_a_day():
    radii = Radii(daily=(5.0,) * 35, weekly=(12.0, 15.0, 15.0, 20.0, 20.0))

    assert [radii.of_sum(days) for days in (0, 1, 4, 7, 14, 28, 35)] == [0, 5, 8.5, 12, 27, 62, 82]


@pytest.mark.parametrize("days", [3, 5, 6, 8, 12, 14, 20])
def test_short_histories_of_even_spending_are_foretold_in_bands_that_hold(days):
    """Of 200 accounts whose days differ by a third; bands of fixed widths held a month of 49 to 66 of 100 of them."""
    chance = random.Random(days)
    held = 0
    for _ in range(200):
        spent = [max(0.0, chance.gauss(100, 33)) for _ in range(days + 28)]
        found = outlook(spent[:days])
        held += abs(sum(spent[days:]) - found.sum_of(28)) <= found.radii.of_sum(28)

    assert held / 200 > 0.7


@given(misses=st.lists(amounts, min_size=1, max_size=50), quantile=st.floats(0.5, 0.99))
def test_the_conformal_quantile_covers_its_share_of_what_it_was_made_from(misses, quantile):
    radius = upper_quantile(misses, quantile)

    assert sum(miss <= radius for miss in misses) >= min(len(misses), quantile * len(misses))
