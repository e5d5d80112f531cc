"""The answer to a question, counted in Python from the requests themselves: what a store must agree with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

from services.usage.domain.record import Status, UsageRecord
from services.usage.statistics.domain.figures import Figures, Row
from services.usage.statistics.domain.query import Bucket, Dimension, Query

_Place = tuple[object, tuple[str, ...]]
NO_DURATIONS = ("latency", "first_token")


def expected(records: Iterable[UsageRecord], query: Query) -> dict[_Place, dict[str, int]]:
    """Return the sums by bucket (as people write it) and group."""
    found: dict[_Place, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_amounts_of(None), 0))
    for each in records:
        if _is_asked_for(each, query):
            for group in product(*[_values(each, dimension) for dimension in query.group_by]):
                sums = found[_bucket(each.created_at, query), group]
                for name, amount in _amounts_of(each).items():
                    sums[name] += amount
    return dict(found)


def answered(rows: Sequence[Row], query: Query) -> dict[_Place, dict[str, int]]:
    """Return the sums of an answer in the same form."""
    return {
        (_bucket(row.starts_at, query) if row.starts_at else None, row.group): {
            name: amount for name, amount in asdict(row.figures).items() if name not in NO_DURATIONS
        }
        for row in rows
    }


def _is_asked_for(record: UsageRecord, query: Query) -> bool:
    if query.user_id not in {None, record.user_id} or not query.since <= record.created_at < query.until:
        return False
    return all(set(_values(record, dimension)) & set(wanted) for dimension, wanted in query.filters.items())


def _values(record: UsageRecord, dimension: Dimension) -> Sequence[str]:
    if dimension is Dimension.TAG:
        return _tags(record) or [""]
    name = {
        Dimension.MODEL: "model",
        Dimension.VERSION: "model",
        Dimension.KEY: "key_id",
        Dimension.APP: "client_id",
        Dimension.ERROR: "error_code",
        Dimension.USER: "user_id",
    }.get(dimension, dimension.value)
    value = str(getattr(record, name))
    return [value.partition(":")[0] if dimension is Dimension.MODEL else value]


def _tags(record: UsageRecord) -> list[str]:
    return [f"{name}={value}" for name, value in getattr(record, "metadata", {}).items()]


def _bucket(moment: datetime, query: Query) -> object:
    local = moment.astimezone(ZoneInfo(query.zone))
    match query.bucket:
        case None:
            return None
        case Bucket.HOUR:
            # The offset tells an hour that comes twice from its twin.
            return local.replace(minute=0, second=0, microsecond=0, tzinfo=None), local.utcoffset()
        case Bucket.DAY:
            return local.date()
        case Bucket.WEEK:
            return local.date() - timedelta(days=local.weekday())
        case Bucket.MONTH:
            return local.year, local.month


def _amounts_of(record: UsageRecord | None) -> dict[str, int]:
    """Return what one request adds to the figures; of None the names alone matter."""
    if record is None:
        return {name: 0 for name in asdict(Figures()) if name not in NO_DURATIONS}
    streamed = record.first_token_ms > 0 and record.cache_status != "hit"
    derived = {
        "requests": 1,
        "errors": int(record.status is Status.FAILED),
        "output_ms": max(0, record.latency_ms - record.first_token_ms) if streamed else 0,
        "tokens_streamed": max(0, record.tokens_output - record.tokens_reasoning) if streamed else 0,
    }
    return {name: derived.get(name, getattr(record, name, 0)) for name in _amounts_of(None)}
