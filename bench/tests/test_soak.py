"""A soak tells memory that grows from memory that has settled."""

import pytest

from bench.soak import slope_of


def test_what_grows_steadily_has_its_growth_as_slope() -> None:
    assert slope_of(range(100), [100 + 0.5 * second for second in range(100)]) == pytest.approx(0.5)


def test_what_filled_at_the_beginning_and_stays_has_no_slope() -> None:
    assert slope_of(range(100), [min(200.0, 100 + 10.0 * second) for second in range(100)]) == 0
