"""Rows of a time series -> a chart and its table: a column for each bucket, a series for each group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from servicekit.charts.chart import Chart, Series
from services.gateway.console.usage.metrics import Metric
from services.gateway.pages.numbers import Numbers

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Words:
    """What the chart calls itself, groups without a name, and all further groups."""

    title: str
    none: str
    other: str


def chart_of(answer: Mapping[str, Any], metric: Metric, words: Words, numbers: Numbers) -> Chart:
    """Return the chart of an answer of `GET /v1/usage/timeseries`; columns are as far apart as their times are."""
    rows: Sequence[Row] = answer["data"]
    starts = starts_of(answer)
    names = list(dict.fromkeys(name_of(row, words) for row in rows))
    values = {(name_of(row, words), datetime.fromisoformat(row["starts_at"])): metric.value(row) for row in rows}
    return Chart(
        words.title,
        numbers.buckets(starts, answer["bucket"]),
        [Series(name, [values.get((name, start.astimezone(UTC))) for start in starts]) for name in names],
        partial(metric.shown, numbers),
        metric.shape,
    )


def starts_of(answer: Mapping[str, Any]) -> list[datetime]:
    """Return where the columns begin: from the first bucket with a request until now, or the end of the period.

    Buckets in which nothing was asked are in the answer of nobody. Without their columns a week of silence would look
    like a Monday after a Sunday, and who stopped a month ago as if they had not.
    """
    zone = ZoneInfo(answer["period"]["time_zone"])
    # In UTC: by the wall clock of one zone an hour that comes twice is one.
    found = {datetime.fromisoformat(row["starts_at"]) for row in answer["data"]}
    if not found:
        return []
    ends = min(datetime.fromisoformat(moment) for moment in (answer["period"]["to"], answer["as_of"]))
    all_of_them, start = set(found), min(found)
    while (start := _next_bucket(start, answer["bucket"], zone)) < ends:
        all_of_them.add(start)
    return [each.astimezone(zone) for each in sorted(all_of_them)]


def _next_bucket(start: datetime, bucket: str, zone: ZoneInfo) -> datetime:
    if bucket == "hour":
        return start + timedelta(hours=1)
    return datetime.combine(_next_start(start.astimezone(zone).date(), bucket), time(), zone).astimezone(UTC)


def days_of(answer: Mapping[str, Any]) -> list[str]:
    """Return the day on which each column begins and at last the one after them all; [] where they are hours.

    So much of an address narrows the page to columns that are looked at: `to` is excluded.
    """
    starts = starts_of(answer)
    if not starts or answer["bucket"] == "hour":
        return []
    days = [start.date() for start in starts]
    return [day.isoformat() for day in (*days, _next_start(days[-1], answer["bucket"]))]


def _next_start(day: date, bucket: str) -> date:
    if bucket == "month":
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return day + timedelta(days=7 if bucket == "week" else 1)


def name_of(row: Row, words: Words) -> str:
    """Return what a group is called."""
    if row["is_other"]:
        return words.other
    return " · ".join(str(value) for value in row["group"].values() if value) or words.none
