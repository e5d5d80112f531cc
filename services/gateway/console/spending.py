"""What was spent day by day: the small chart of the overview, from the API's answer about days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from servicekit.charts.chart import Chart, Series
from servicekit.charts.svg import draw
from services.gateway.console.usage.metrics import METRICS
from services.gateway.pages.numbers import Numbers

HEIGHT_PX: Final = 160


def day_of(moment: str, zone: ZoneInfo) -> date:
    """Return the day on which a moment of the API falls in a zone."""
    return datetime.fromisoformat(moment).astimezone(zone).date()


def drawn_spending(answer: Mapping[str, Any], texts: Mapping[str, str], numbers: Numbers) -> str:
    """Return the chart of an answer by days as SVG, in the words of `texts`; "" when nothing was asked in any of them.

    A day without requests is in the answer of nobody. It cost nothing, and is a column without a bar.
    """
    zone, cost = ZoneInfo(answer["period"]["time_zone"]), METRICS["cost"]
    spent = {day_of(row["starts_at"], zone): cost.value(row) for row in answer["data"]}
    if not spent:
        return ""
    first, last = (day_of(answer["period"][end], zone) for end in ("from", "to"))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    labels = numbers.buckets([datetime.combine(day, time()) for day in days], "day")
    title, name = texts["overview.days"], texts["metric.cost"]
    series = Series(name, [spent.get(day, 0) for day in days])
    return draw(Chart(title, labels, [series], partial(cost.shown, numbers)), height=HEIGHT_PX)
