"""Validates questions; parameters are named as the API names them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final
from zoneinfo import available_timezones

from servicekit.errors import InvalidRequest, invalid_parameter
from services.usage.statistics.domain.detailed_stats import Grouping, Period
from services.usage.statistics.domain.query import MAX_DIMENSIONS, Bucket, Dimension

_ZONES: Final = available_timezones()
# Days: each bucket is a row of the answer, and hours of a zone that is half an hour off are counted from rows.
LONGEST: Final = {Bucket.HOUR: 8, Bucket.DAY: 400, Bucket.WEEK: 1_200, Bucket.MONTH: 12_000}
MAX_VALUES: Final = 100
# A page of an API has a thousand; one more tells whether there are others.
MAX_ROWS: Final = 1_001
MAX_VALUE: Final = 600
# Of these there may be as many as there are requests.
UNCOUNTED: Final = frozenset({Dimension.TAG, Dimension.KEY, Dimension.APP, Dimension.USER})
# Of groups in buckets: a thousand tags on each of a hundred days. In a message of gRPC there is no room for more.
MOST_ROWS: Final = 100_000


def check_question(period: Period, grouping: Grouping) -> None:
    """Return when it can be answered.

    Raises:
        InvalidRequest: names the parameter.
    """
    check_period(period)
    _check_bucket(period, grouping.bucket)
    if len(set(grouping.group_by)) != len(grouping.group_by) or len(grouping.group_by) > MAX_DIMENSIONS:
        raise _refusal("group_by", f"takes at most {MAX_DIMENSIONS} different dimensions")
    for dimension, values in grouping.filters.items():
        check_values(dimension.value, values)
    if grouping.limit or grouping.after:
        _check_page(grouping)


def _check_page(grouping: Grouping) -> None:
    if not 1 <= grouping.limit <= MAX_ROWS:
        raise _refusal("limit", f"must be 1 to {MAX_ROWS} rows")
    if grouping.bucket is None or grouping.top or Dimension.TAG in grouping.group_by:
        raise _refusal("limit", "takes a `bucket`, and neither `top` nor groups by `tag`")
    if grouping.after and len(grouping.after.group) != len(grouping.group_by):
        raise _refusal("page", "must be what an earlier page of the same `group_by` gave")
    check_values("page", grouping.after.group if grouping.after else ())


def check_period(period: Period) -> None:
    """Return when the period and its zone exist.

    Raises:
        InvalidRequest: names the parameter.
    """
    if period.zone not in _ZONES:
        raise _refusal("tz", "must be the IANA name of a time zone, for example Europe/Moscow")
    if period.until <= period.since:
        raise _refusal("to", "must be later than `from`")


def check_values(name: str, values: Iterable[str]) -> None:
    """Return when a filter has values that a row might have.

    Raises:
        InvalidRequest: names the parameter.
    """
    listed = list(values)
    if len(listed) > MAX_VALUES:
        raise _refusal(name, f"takes at most {MAX_VALUES} values")
    if any("\0" in value or len(value) > MAX_VALUE for value in listed):
        raise _refusal(name, f"takes values of at most {MAX_VALUE} characters, without NUL")


def check_rows(there: int, most: int) -> None:
    """Return when no more groups in buckets were found than anybody could be answered.

    Raises:
        InvalidRequest: says how there are fewer.
    """
    if there > most:
        rule = f"gives more than {most:,} rows; ask for a shorter period, a longer bucket or fewer values"
        raise _refusal("group_by", rule)


def _check_bucket(period: Period, bucket: Bucket | None) -> None:
    if bucket and period.until - period.since > timedelta(days=LONGEST[bucket]):
        raise _refusal("bucket", f"`{bucket}` takes a period of at most {LONGEST[bucket]} days; take a longer bucket")


def _refusal(param: str, rule: str) -> InvalidRequest:
    return invalid_parameter(param, f"`{param}` {rule}.")
