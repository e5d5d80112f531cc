"""The day that runs: what it has cost, how far it is, and how much it says of its end."""

from __future__ import annotations

from datetime import datetime

import pytest

from services.usage.forecasting.domain.answer import answer
from services.usage.forecasting.domain.course import share_passed
from services.usage.tests.forecasting.test_answer import MOSCOW, QUESTION, RUB, steady


def test_a_day_that_began_dear_is_expected_to_end_dearer():
    noon = datetime(2026, 11, 24, 12, tzinfo=MOSCOW)
    found = answer(QUESTION, steady(now=noon, spent_today=300 * RUB))

    assert 400 * RUB < found.points[0].band.p50 < 600 * RUB
    assert found.points[1].band.p50 == 100 * RUB


def test_the_hours_in_which_most_is_spent_tell_how_far_the_day_is():
    office = [0] * 9 + [10] * 9 + [0] * 6

    assert share_passed(office, 9, 0) == 0
    assert share_passed(office, 13, 30) == pytest.approx(0.5)
    assert share_passed(office, 23, 59) == 1
    assert share_passed([0] * 24, 6, 0) == 0.25


@pytest.mark.parametrize("hour", [1, 12, 23])
def test_a_batch_that_comes_early_is_not_the_pace_of_the_day(hour):
    """It runs in the last hour of the day, and today in the first: the day was foretold to cost three of them."""
    now = datetime(2026, 11, 24, hour, 0, tzinfo=MOSCOW)

    found = answer(QUESTION, steady(now=now, spent_today=100 * RUB, by_hour=[0] * 23 + [100 * RUB]))

    assert found.points[0].band.p50 == 200 * RUB
    assert found.month_end.band is not None
    assert found.month_end.band.p50 == 3100 * RUB


@pytest.mark.parametrize(("passed", "spent", "today"), [(0.02, 50, 157.408), (0.1, 50, 176.0), (0.5, 300, 475.0)])
def test_today_says_more_the_more_of_it_is_over(passed, spent, today):
    """Of what a day usually costs so much is over, and as much as is told was spent."""
    by_hour = [round(passed * 1000), *[0] * 22, round((1 - passed) * 1000)]
    now = datetime(2026, 11, 24, 1, 0, tzinfo=MOSCOW)

    found = answer(QUESTION, steady(now=now, spent_today=spent * RUB, by_hour=by_hour))

    assert found.points[0].band.p50 == pytest.approx(today * RUB)
