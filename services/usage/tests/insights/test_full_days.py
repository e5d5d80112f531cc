"""What is compared are days that are over: today is a part of one, and a small one when users are analysed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.usage.insights.domain.finding import Pattern
from services.usage.insights.domain.patterns import FROM_ROWS, WHEN_ASKED
from services.usage.tests.insights.material import NOW, ROUBLE, day_use, days, hours, material


@pytest.mark.parametrize("hour", [0, 12, 23])
def test_who_spends_the_same_each_day_is_told_of_no_change(hour: int) -> None:
    """At whichever hour it is looked at: of today only what is over is there."""
    today = [day_use(requests=20 * hour // 24, cost_micro_rub=2 * ROUBLE * hour // 24)]
    even = material(now=NOW.replace(hour=hour, minute=15), days=[*today, *days(56, before=1)])

    assert list(FROM_ROWS[Pattern.DRIVER_SPLIT](even)) == []


def test_a_shift_of_models_says_what_a_whole_week_costs_more() -> None:
    """Half of the calls went to a model of the same price: that changes nothing, though today has just begun."""
    half: dict[str, Any] = {"requests": 10, "cost_micro_rub": ROUBLE}
    week = [*days(7, before=1, **half), *days(7, before=1, model="gigachat-pro", **half)]
    shifted = material(now=NOW.replace(hour=0, minute=15), days=[*week, *days(28, before=8)])

    assert list(FROM_ROWS[Pattern.MIX_SHIFT](shifted)) == []


@pytest.mark.parametrize(("began", "change"), [(12, None), (14, 0), (21, 0), (35, 0), (14, 7), (35, 7)])
def test_a_week_is_compared_with_a_week_of_the_days_that_there_were(began: int, change: int | None) -> None:
    """Of who began two weeks ago two free weeks were in the mean: a shift that cost nothing was told as a dear one."""
    cost = 2 * ROUBLE if change != 7 else 3 * ROUBLE
    week = [
        *days(7, before=1, requests=40, cost_micro_rub=0),
        *days(7, before=1, model="gigachat-pro", requests=40, cost_micro_rub=cost),
    ]
    shifted = material(days=[*week, *days(began - 7, before=8)])

    found = list(FROM_ROWS[Pattern.MIX_SHIFT](shifted))

    assert [each.evidence["change"] for each in found] == ([change * ROUBLE] if change else [])


def test_one_giant_monday_makes_no_dear_mondays() -> None:
    """A runaway job of three weeks ago: on Mondays spending was said to be five times the mean."""
    monday = (NOW - timedelta(days=21)).date()
    once = [
        replace(use, cost_micro_rub=50 * use.cost_micro_rub) if use.hour.date() == monday else use for use in hours()
    ]

    assert list(WHEN_ASKED[Pattern.WEEKDAY_PROFILE](material(hours=once))) == []
