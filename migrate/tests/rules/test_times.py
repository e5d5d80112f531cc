"""Times of 1.0: one reading, or none."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from migrate.rules.times import LATEST, Reading, read_expiry, read_time
from migrate.rules.verdict import Kept, Refused, Repaired, Stored, Text

NOW = datetime(2026, 11, 29, tzinfo=UTC)
MOSCOW = Reading(ZoneInfo("Europe/Moscow"), NOW)
BERLIN = Reading(ZoneInfo("Europe/Berlin"), NOW)
UNSTATED = Reading(None, NOW)
NOON = datetime(2025, 3, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2025-03-04 12:00:00",
        "2025-03-04T12:00:00Z",
        "2025-03-04 15:00:00+03:00",
        "2025-03-04T15:00:00.000000+0300",
        "2025-03-04 12:00:00.000",
        "2025-03-04 12:00",
        "2025-03-04 07:00:00 -05:00",
    ],
)
def test_another_notation_of_the_same_instant_is_no_repair(text: str) -> None:
    """With a zone, or as SQLite's CURRENT_TIMESTAMP writes it."""
    assert read_time(Text(text.encode()), UNSTATED) == Kept(NOON)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (Text(b"2025-03-04T15:00:00"), "naive_time_in_stated_zone"),
        (Text(b"2025-03-04T15:00:00.000000"), "naive_time_in_stated_zone"),
        (Text(b"04.03.2025 15:00"), "dotted_date_in_stated_zone"),
        (1741089600, "unix_seconds"),
        (1741089600000, "unix_milliseconds"),
        (1741089600000000, "unix_microseconds"),
        (1741089600.0, "unix_seconds"),
        (2460739.0, "julian_day"),
        (Text(b"2025-03-04 12:00:00.000000001"), "cut_to_microseconds"),
        (Text(b"1741089600"), "unix_seconds"),
    ],
)
def test_what_has_one_reading_is_repaired_by_a_named_rule(value: Stored, rule: str) -> None:
    assert read_time(value, MOSCOW) == Repaired(NOON, rule)


@pytest.mark.parametrize("text", ["2025-03-04T15:00:00", "2025-03-04", "04.03.2025"])
def test_without_a_stated_zone_a_naive_time_is_nobodys_guess(text: str) -> None:
    assert read_time(Text(text.encode()), UNSTATED) == Refused("time_without_zone")


@pytest.mark.parametrize(
    ("text", "moment", "rule"),
    [
        ("2025-03-04 24:00:00", datetime(2025, 3, 5, tzinfo=UTC), "hour_24_is_the_next_day"),
        ("2016-12-31 23:59:60", datetime(2017, 1, 1, tzinfo=UTC), "leap_second_is_the_next_second"),
    ],
)
def test_times_behind_the_end_of_the_day_are_the_next_instant(text: str, moment: datetime, rule: str) -> None:
    assert read_time(Text(text.encode()), UNSTATED) == Repaired(moment, rule)


@pytest.mark.parametrize("text", ["2025-10-26T02:30:00", "2025-03-30T02:30:00"])
def test_a_wall_clock_time_that_was_twice_or_never_is_refused(text: str) -> None:
    """Berlin puts its clocks back in October and forward in March."""
    assert read_time(Text(text.encode()), BERLIN) == Refused("local_time_twice_or_never")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "time_missing"),
        (Text(b""), "time_missing"),
        (Text(b"now"), "time_unreadable"),
        (Text(b"2025-02-30 10:00:00"), "no_such_day"),
        (Text(b"2025-13-01 10:00:00"), "no_such_day"),
        (Text(b"2025-03-04 25:00:00"), "no_such_time_of_day"),
        (Text(b"2025-03-04 10:00:60"), "no_such_time_of_day"),
        (Text(b"2025-03-04 10:00:00+99:99"), "no_such_zone"),
        (Text(b"2025-03-04 10:00:00+03:60"), "no_such_zone"),
        (Text(b"0001-01-01T00:00:00"), "time_before_2015"),
        (Text(b"0001-01-01 00:00:00"), "time_before_2015"),
        (Text(b"9999-12-31 23:59:59"), "time_in_the_future"),
        (Text("2025-03-04 １２:00:00".encode()), "time_unreadable"),
        (Text(b"\xff"), "time_unreadable"),
        (b"2025-03-04 12:00:00", "time_unreadable"),
        (12, "number_is_no_time"),
        (float("inf"), "time_unreadable"),
        (20250101, "number_is_no_time"),
        (Text(b"03/04/2025"), "time_unreadable"),
        (Text(b"2025-W10-2"), "time_unreadable"),
    ],
)
def test_what_is_no_time_is_refused_with_its_reason(value: Stored, reason: str) -> None:
    assert read_time(value, MOSCOW) == Refused(reason)


def test_a_key_never_becomes_eternal_by_what_cannot_be_read() -> None:
    """NULL and the empty text were never; year 9999 is a convention; everything else is refused."""
    assert read_expiry(None, MOSCOW) == Kept(None)
    assert read_expiry(Text(b""), MOSCOW) == Repaired(None, "empty_expiry_was_never")
    assert read_expiry(Text(b"9999-12-31 23:59:59"), MOSCOW) == Kept(LATEST.replace(microsecond=0))
    assert read_expiry(Text(b"9999-12-31T23:59:59-03:00"), MOSCOW) == Repaired(LATEST, "expiry_at_the_end_of_time")
    # Python's datetime.max, which asyncpg stores as infinity.
    the_last = Text(b"9999-12-31 23:59:59.999999")
    assert read_expiry(the_last, MOSCOW) == Repaired(LATEST, "expiry_at_the_end_of_time")
    # In UTC it is year 0, which there is not: the other end of the calendar, and no end of time.
    assert read_expiry(Text(b"0001-01-01 00:00:00+03:00"), MOSCOW) == Refused("time_before_2015")
    assert read_expiry(Text(b"soon"), MOSCOW) == Refused("time_unreadable")
    assert read_expiry(0, MOSCOW) == Refused("number_is_no_time")
