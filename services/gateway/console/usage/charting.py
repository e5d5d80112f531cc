"""Rows of a time series -> a chart and its table: a column for each bucket, a series for each group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
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
    """Return the chart of an answer of `GET /v1/usage/timeseries`.

    Buckets in which nothing was asked are in the answer of nobody, so they are no columns here either.
    """
    rows: Sequence[Row] = answer["data"]
    starts = sorted({row["starts_at"] for row in rows})
    zone = ZoneInfo(answer["period"]["time_zone"])
    names = list(dict.fromkeys(name_of(row, words) for row in rows))
    values = {(name_of(row, words), row["starts_at"]): metric.value(row) for row in rows}
    return Chart(
        words.title,
        numbers.buckets([datetime.fromisoformat(start).astimezone(zone) for start in starts], answer["bucket"]),
        [Series(name, [values.get((name, start)) for start in starts]) for name in names],
        partial(metric.shown, numbers),
        metric.shape,
    )


def days_of(answer: Mapping[str, Any]) -> list[str]:
    """Return the day on which each column begins and at last the one after them all; [] where they are hours.

    So much of an address narrows the page to columns that are looked at: `to` is excluded.
    """
    starts = sorted({row["starts_at"] for row in answer["data"]})
    if not starts or answer["bucket"] == "hour":
        return []
    zone = ZoneInfo(answer["period"]["time_zone"])
    days = [datetime.fromisoformat(start).astimezone(zone).date() for start in starts]
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
