"""Where buckets begin in zones that change their clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from services.usage.statistics.domain.buckets import starts_of
from services.usage.statistics.domain.query import Bucket

ZONES = ("Europe/Moscow", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo")


def shown(since: datetime) -> list[str]:
    area = ZoneInfo("Australia/Lord_Howe")
    starts = starts_of(Bucket.HOUR, area.key, since, since + timedelta(hours=4))
    return [start.astimezone(area).strftime("%H:%M") for start in starts]


def test_an_hour_in_which_the_clock_is_changed_by_half_an_hour_begins_with_the_change() -> None:
    """Half of the hour before was counted to it."""
    assert shown(datetime(2026, 10, 3, 14, tzinfo=UTC)) == ["00:00", "01:00", "02:30", "03:00", "04:00"]
    assert shown(datetime(2026, 4, 4, 13, 30, tzinfo=UTC)) == ["00:00", "01:00", "01:30", "02:00", "03:00"]


@given(st.sampled_from(ZONES), st.integers(0, 24 * 366), st.integers(0, 59))
def test_an_hour_holds_the_moments_that_show_it(zone: str, hour: int, minute: int) -> None:
    """Between two beginnings the clock shows one hour, and the same offset."""
    area = ZoneInfo(zone)
    since = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour, minutes=minute)
    starts = starts_of(Bucket.HOUR, zone, since, since + timedelta(hours=5))

    for begin, end in pairwise(starts):
        first, last = begin.astimezone(area), (end - timedelta(minutes=1)).astimezone(area)
        assert (first.hour, first.utcoffset()) == (last.hour, last.utcoffset())
        assert end - begin <= timedelta(hours=1)
