"""Every question behind the endpoints, of the biggest user and of everybody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.usage.statistics.detailed import DetailedStatistics
from services.usage.statistics.domain.detailed_stats import Grouping, Period
from services.usage.statistics.domain.query import Bucket, Dimension
from services.usage.statistics.domain.request_line import LogQuery
from services.usage.statistics.request_log import RequestLog

Ask = Callable[[], Awaitable[object]]

ZONE: Final = "Europe/Moscow"
# Name -> days before now, zone, and what is asked. A summary also has durations and the period before.
_BY_KEY: Final = Grouping(group_by=(Dimension.KEY, Dimension.APP), top=10, quantiles=True, compared=True)
STATS: Final[dict[str, tuple[float, str, Grouping]]] = {
    "summary, 30 d": (30, ZONE, Grouping(quantiles=True, compared=True)),
    "summary, 30 d, by model": (30, ZONE, Grouping(group_by=(Dimension.MODEL,), quantiles=True, compared=True)),
    "summary, 30 d, by key and app": (30, ZONE, _BY_KEY),
    "summary, 29.7 d from any moment, by key and app": (29.7, ZONE, _BY_KEY),
    "compare, 30 d": (30, ZONE, Grouping(compared=True)),
    "timeseries, 1 d, hours": (1, ZONE, Grouping(Bucket.HOUR)),
    "timeseries, 7 d, hours by model": (7, ZONE, Grouping(Bucket.HOUR, (Dimension.MODEL,))),
    "timeseries, 30 d, days by model": (30, ZONE, Grouping(Bucket.DAY, (Dimension.MODEL,))),
    "timeseries, 30 d, days by model, Kolkata": (30, "Asia/Kolkata", Grouping(Bucket.DAY, (Dimension.MODEL,))),
    "timeseries, 30 d, days by endpoint and error": (
        30,
        ZONE,
        Grouping(Bucket.DAY, (Dimension.ENDPOINT, Dimension.ERROR)),
    ),
    "timeseries, 90 d, days by model": (90, ZONE, Grouping(Bucket.DAY, (Dimension.MODEL,))),
    "timeseries, 184 d, weeks by model": (184, ZONE, Grouping(Bucket.WEEK, (Dimension.MODEL,))),
    "timeseries, 30 d, days by tag": (30, ZONE, Grouping(Bucket.DAY, (Dimension.TAG,))),
    "organization usage, 7 d, UTC days by version and key, a page of 1,000": (
        7,
        "UTC",
        Grouping(Bucket.DAY, (Dimension.VERSION, Dimension.KEY), limit=1_001),
    ),
}
OF_EVERYBODY_ONLY: Final[dict[str, tuple[float, str, Grouping]]] = {
    "top 20 users, 30 d": (30, ZONE, Grouping(group_by=(Dimension.USER,), top=20)),
}
FAILED: Final = {Dimension.STATUS: ("failed",)}


def questions(stats: DetailedStatistics, log: RequestLog, user_id: str | None, now: datetime) -> dict[str, Ask]:
    """Return what to ask by name."""
    asked = STATS if user_id is not None else STATS | OF_EVERYBODY_ONLY
    found = {
        name: _stats(stats, user_id, Period(_since(now, days, zone), now, zone), grouping)
        for name, (days, zone, grouping) in asked.items()
    }
    month = LogQuery(user_id, now - timedelta(days=30), now)
    return found | {
        "requests, newest 100": lambda: log.page(month),
        "requests, 100 that failed": lambda: log.page(LogQuery(user_id, month.since, now, FAILED)),
        "export, a page of 1,000": lambda: log.page(LogQuery(user_id, month.since, now, oldest_first=True, limit=1000)),
    }


def _since(now: datetime, days: float, zone: str) -> datetime:
    """Return where a period begins: `period=30d` does at the midnight of 29 days ago; a day or a fraction anywhere."""
    if days <= 1 or days % 1:
        return now - timedelta(days=days)
    today = now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days - 1)


def _stats(stats: DetailedStatistics, user_id: str | None, period: Period, grouping: Grouping) -> Ask:
    return lambda: stats.of(user_id, period, grouping)
