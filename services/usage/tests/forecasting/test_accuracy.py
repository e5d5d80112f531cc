"""What past forecasts were worth, and what they teach."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.usage.forecasting.domain.accuracy import Accuracy, Kept, accuracy_of, learned_quantile, next_quantile
from services.usage.forecasting.domain.radii import FIRST_QUANTILE


def kept(actuals):
    return [Kept(date(2026, 11, 1) + timedelta(at), 80, 100, 120, actual) for at, actual in enumerate(actuals)]


def test_accuracy_is_the_share_held_and_the_share_missed_by():
    assert accuracy_of(kept([100, 110, 130, 60])) == Accuracy(4, 0.5, 80 / 400)


def test_nothing_kept_has_no_accuracy_and_nothing_spent_no_error():
    assert accuracy_of([]) is None
    assert accuracy_of(kept([0])) == Accuracy(1, 0.0, None)


def test_bands_that_hold_four_of_five_stay_as_they_are():
    assert learned_quantile(kept([100, 100, 0, 100, 100] * 20)) == pytest.approx(FIRST_QUANTILE)


@given(held=st.lists(st.booleans(), max_size=200))
def test_misses_widen_hits_narrow_within_bounds(held):
    quantile = FIRST_QUANTILE
    for one in held:
        following = next_quantile(quantile, was_held=one)
        assert (following <= quantile) if one else (following >= quantile)
        assert 0.6 <= following <= 0.99
        quantile = following
