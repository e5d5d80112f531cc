"""The judge of the alarm: what it counts, on made-up series."""

from __future__ import annotations

from tools.anomaly_eval.__main__ import RULES, judged, ours
from tools.forecast_eval.series import Series

EVEN = Series("bikes", [100.0] * 200)


def test_every_spike_in_an_even_series_is_found_and_no_day_is_called_one() -> None:
    """By our rule, and by a rule that calls nothing, none."""
    mine = judged([EVEN], ours)
    deaf = judged([EVEN], lambda days: float("inf"))

    assert (set(mine.recall.values()), mine.false_a_day) == ({1.0}, 0.0)
    assert (set(deaf.recall.values()), deaf.false_a_day) == ({0.0}, 0.0)


def test_alarms_on_days_as_they_are_count_as_false() -> None:
    """A rule that calls every day an anomaly is always wrong."""
    assert judged([EVEN], lambda days: 0.0).false_a_day == 1.0


def test_every_rule_names_a_bar() -> None:
    """For the same days."""
    days = [100.0 + 10 * (number % 7) for number in range(84)]

    assert all(bar(days) > 0 for bar in RULES.values())
