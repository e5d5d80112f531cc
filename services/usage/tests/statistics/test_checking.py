"""Which questions are refused, and what is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from servicekit.errors import InvalidRequest
from services.usage.statistics.domain.checking import check_question
from services.usage.statistics.domain.detailed_stats import Grouping, Period
from services.usage.statistics.domain.query import Bucket, Dimension, RowPosition

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def days(count: float, zone: str = "UTC") -> Period:
    return Period(NOW - timedelta(days=count), NOW, zone)


@pytest.mark.parametrize(
    ("period", "grouping", "param"),
    [
        (days(1, "Mars/Olympus"), Grouping(), "tz"),
        (days(1, "../../etc/passwd"), Grouping(), "tz"),
        (days(0), Grouping(), "to"),
        (days(9), Grouping(Bucket.HOUR), "bucket"),
        (days(401), Grouping(Bucket.DAY), "bucket"),
        (days(1), Grouping(group_by=(Dimension.KEY, Dimension.KEY)), "group_by"),
        (days(1), Grouping(group_by=(Dimension.KEY, Dimension.APP, Dimension.TAG)), "group_by"),
        (days(1), Grouping(filters={Dimension.MODEL: ("a\0",)}), "model"),
        (days(1), Grouping(filters={Dimension.KEY: ("k",) * 101}), "key"),
        (days(1), Grouping(Bucket.DAY, limit=1_002), "limit"),
        (days(1), Grouping(limit=1), "limit"),
        (days(1), Grouping(Bucket.DAY, (Dimension.KEY,), top=1, limit=1), "limit"),
        (days(1), Grouping(Bucket.DAY, (Dimension.TAG,), limit=1), "limit"),
        (days(1), Grouping(Bucket.DAY, after=RowPosition(NOW, ())), "limit"),
        (days(1), Grouping(Bucket.DAY, (Dimension.KEY,), limit=1, after=RowPosition(NOW, ())), "page"),
        (days(1), Grouping(Bucket.DAY, (Dimension.KEY,), limit=1, after=RowPosition(NOW, ("a\0",))), "page"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(period: Period, grouping: Grouping, param: str) -> None:
    """The parameter is named as the API names it, in the sentence too."""
    with pytest.raises(InvalidRequest) as refused:
        check_question(period, grouping)

    assert refused.value.param == param
    assert f"`{param}`" in refused.value.message


def test_the_previous_period_of_whole_days_is_whole_days_across_a_change_of_the_clock() -> None:
    """Berlin's 25 October 2026 had 25 hours; the day before it is a day, not 25 hours."""
    since = datetime(2026, 10, 24, 22, tzinfo=UTC)
    day = Period(since, since + timedelta(hours=25), "Europe/Berlin")

    previous = day.previous()

    assert previous.since.astimezone(UTC) == datetime(2026, 10, 23, 22, tzinfo=UTC)
    assert previous.until == day.since


@pytest.mark.parametrize(
    ("since", "until"),
    [
        # From the first half past two to ten past the second two; from the first two to the second.
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 10, tzinfo=UTC)),
        (datetime(2026, 10, 25, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
        # From three, before which there was no half past two.
        (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
    ],
)
def test_the_previous_period_lies_before_also_within_the_hour_of_a_change(since: datetime, until: datetime) -> None:
    """By Berlin's clock these last minus twenty minutes, nothing, and half an hour that never was."""
    previous = Period(since, until, "Europe/Berlin").previous()

    assert (previous.since, previous.until) == (since - (until - since), since)


def test_nothing_precedes_1970() -> None:
    """A period may end in the year 9999; one as long before it would begin before all calendars."""
    previous = Period(datetime(2015, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC), "Europe/Moscow").previous()

    assert previous.since == datetime(1970, 1, 1, tzinfo=UTC)
