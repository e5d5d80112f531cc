"""Times: every shape that SQLite holds, read when it has one reading only, and never later than asyncpg can read."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from migrate.rules.verdict import Kept, Refused, Repaired, Stored, Text, Verdict

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# A time beyond it comes back from PostgreSQL as year 10000, which Python has not; the last one of all, which Python
# calls `datetime.max`, asyncpg stores as infinity.
LATEST: Final = datetime(9999, 12, 31, 23, 59, 59, 999_998, tzinfo=UTC)
# Numbers are times only within these years; release 1.0 is not older.
EARLIEST: Final = datetime(2015, 1, 1, tzinfo=UTC)
# No clock was ever further from UTC; PostgreSQL has the same bound.
MAX_OFFSET_HOURS: Final = 15
# Why a time waits that is none yet.
IN_THE_FUTURE: Final = "time_in_the_future"
JULIAN_EPOCH_DAYS: Final = Decimal("2440587.5")

_ISO: Final = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"
    r"(?:(?P<between>[ T])(?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r" ?(?P<zone>Z|z|UTC|[+-]\d{2}:?\d{2})?)?"
)
_DOTTED: Final = re.compile(
    r"(?P<day>\d{2})\.(?P<month>\d{2})\.(?P<year>\d{4})(?: (?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?)?"
)
_NUMBER: Final = re.compile(r"\d{7,16}(?:\.\d{1,9})?")


@dataclass(frozen=True, slots=True)
class Reading:
    """How times without a zone are to be read.

    Attributes:
        zone: of 1.0's server, as the operator states it; None: nobody stated one, and such times are refused.
        now: no row was written later.
        first_seen: when the source was first read, where that was before.
    """

    zone: ZoneInfo | None
    now: datetime
    first_seen: datetime | None = None


def unix_ms(moment: datetime) -> int:
    """Return the milliseconds since 1970, whole ones."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def read_time(value: Stored, reading: Reading) -> Verdict[datetime]:
    """Return a moment that has passed, in UTC."""
    return _read(value, reading, latest=reading.now + timedelta(days=1))


def read_expiry(value: Stored, reading: Reading) -> Verdict[datetime | None]:
    """Return when a key ends, None for never. What cannot be read is refused: no key may become eternal by it."""
    if value is None:
        return Kept(None)
    if value == b"" and isinstance(value, Text):
        return Repaired(None, "empty_expiry_was_never")
    found = _read(value, reading, latest=LATEST)
    if isinstance(found, Refused) and found.reason in ("time_beyond_year_9999", IN_THE_FUTURE):
        return Repaired(LATEST, "expiry_at_the_end_of_time")
    return found


def _read(value: Stored, reading: Reading, *, latest: datetime) -> Verdict[datetime]:
    match value:
        case None:
            return Refused("time_missing")
        case int() | float():
            return _from_number(Decimal(repr(value)), latest) if math.isfinite(value) else Refused("time_unreadable")
        case Text():
            return _from_text(value, reading, latest)
        case _:
            return Refused("time_unreadable")


def _from_text(value: bytes, reading: Reading, latest: datetime) -> Verdict[datetime]:
    try:
        text = value.decode("ascii")
    except UnicodeDecodeError:
        return Refused("time_unreadable")
    if (found := _ISO.fullmatch(text)) is not None:
        return _checked(_from_iso(found, reading), latest)
    if (found := _DOTTED.fullmatch(text)) is not None:
        return _checked(_in_stated_zone(found, reading, "dotted_date_in_stated_zone"), latest)
    if _NUMBER.fullmatch(text):
        return _from_number(Decimal(text), latest)
    return Refused("time_missing" if not text.strip() else "time_unreadable")


def _from_iso(found: re.Match[str], reading: Reading) -> Verdict[datetime]:
    zone = found["zone"]
    if found["between"] is None:
        return _in_stated_zone(found, reading, "date_in_stated_zone")
    if zone is None and found["between"] == "T":
        return _in_stated_zone(found, reading, "naive_time_in_stated_zone")
    offset = _offset(zone)
    # CURRENT_TIMESTAMP is UTC and has a blank between.
    return Refused("no_such_zone") if offset is None else _moment(found, offset, "")


def _in_stated_zone(found: re.Match[str], reading: Reading, rule: str) -> Verdict[datetime]:
    if reading.zone is None:
        return Refused("time_without_zone")
    return _moment(found, reading.zone, rule)


def _moment(found: re.Match[str], zone: timezone | ZoneInfo, rule: str) -> Verdict[datetime]:
    parts = {name: text or "" for name, text in found.groupdict().items()}
    try:
        day = date(int(parts["year"]), int(parts["month"]), int(parts["day"]))
    except ValueError:
        return Refused("no_such_day")
    clock = _clock(parts)
    if clock is None:
        return Refused("no_such_time_of_day")
    local = datetime.combine(day, clock.shown, zone)
    try:
        if not _is_one_moment(local):
            return Refused("local_time_twice_or_never")
        moment = local.astimezone(UTC) + clock.later
    except OverflowError:
        # Neither end of the calendar may be taken for the other: a key of year 1 is not one for ever.
        return Refused("time_beyond_year_9999" if day.year > EARLIEST.year else "time_before_2015")
    rule = clock.rule or rule
    return Repaired(moment, rule) if rule else Kept(moment)


@dataclass(frozen=True, slots=True)
class _Clock:
    """A time of day that there is, and how much later the moment is."""

    shown: time
    later: timedelta = timedelta()
    rule: str = ""


def _clock(parts: dict[str, str]) -> _Clock | None:
    hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
    fraction = (parts.get("fraction") or "").ljust(6, "0")
    micros = int(fraction[:6])
    if (hour, minute, second, micros) == (24, 0, 0, 0):
        return _Clock(time(), timedelta(days=1), "hour_24_is_the_next_day")
    if hour > 23 or minute > 59 or second > 60 or (second == 60 and (minute < 59 or micros)):
        return None
    if second == 60:
        return _Clock(time(hour, minute, 59), timedelta(seconds=1), "leap_second_is_the_next_second")
    rule = "cut_to_microseconds" if fraction[6:].strip("0") else ""
    return _Clock(time(hour, minute, second, micros), rule=rule)


def _is_one_moment(local: datetime) -> bool:
    """Tell whether a wall clock showed this time just once: not when it was put forward or back."""
    first, second = local.replace(fold=0), local.replace(fold=1)
    return first.utcoffset() == second.utcoffset()


def _offset(zone: str | None) -> timezone | None:
    if zone is None or not zone[-1].isdigit():
        return UTC
    sign = -1 if zone[0] == "-" else 1
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if hours > MAX_OFFSET_HOURS or minutes > 59:
        return None
    return timezone(sign * timedelta(hours=hours, minutes=minutes))


def _from_number(number: Decimal, latest: datetime) -> Verdict[datetime]:
    """Return the one moment that a number can be: seconds, milli- or microseconds since 1970, or a Julian day."""
    first, last = (int((moment - EPOCH).total_seconds()) for moment in (EARLIEST, min(latest, LATEST)))
    readings = {
        "unix_seconds": number,
        "unix_milliseconds": number / 1_000,
        "unix_microseconds": number / 1_000_000,
        "julian_day": (number - JULIAN_EPOCH_DAYS) * 86_400,
    }
    possible = [(rule, seconds) for rule, seconds in readings.items() if first <= seconds <= last]
    if len(possible) != 1:
        return Refused("number_is_several_times" if possible else "number_is_no_time")
    ((rule, seconds),) = possible
    return Repaired(EPOCH + timedelta(microseconds=round(seconds * 1_000_000)), rule)


def _checked(verdict: Verdict[datetime], latest: datetime) -> Verdict[datetime]:
    if isinstance(verdict, Refused):
        return verdict
    if verdict.value < EARLIEST:
        return Refused("time_before_2015")
    if verdict.value > latest:
        return Refused(IN_THE_FUTURE)
    return verdict
