"""Times as microseconds since 1970, by a calendar of its own: days are counted, not parsed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

from tests.migration.checker.cells import Cell
from tests.migration.checker.readings.meaning import Meaning

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
_DAYS_TO_1970: Final = 719_162
# 2015-01-01, and the end of year 9999 but for the last microsecond, in whose place there may be infinity.
EARLIEST: Final = 1_420_070_400 * SECOND
LATEST: Final = 253_402_300_800 * SECOND - 2
_DATE: Final = re.compile(rb"(\d{4})-(\d\d)-(\d\d)")
_DOTTED: Final = re.compile(rb"(\d\d)\.(\d\d)\.(\d{4})")
_CLOCK: Final = re.compile(rb"(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?")
_SHORT_CLOCK: Final = re.compile(rb"(\d\d):(\d\d)(?::(\d\d))?")
_ZONE: Final = re.compile(rb"(.*?) ?(Z|z|UTC|[+-]\d\d:?\d\d)", re.DOTALL)
_DIGITS: Final = re.compile(rb"\d{7,16}(\.\d{1,9})?")


@dataclass(frozen=True, slots=True)
class Expectations:
    """What the operator stated, and what no moment of the past is later than."""

    zone: ZoneInfo | None
    latest: int


def read_time(cell: Cell, expected: Expectations) -> Meaning | None:
    """Return a moment that has passed."""
    return _within(_read(cell, expected, expected.latest), expected.latest)


def read_expiry(cell: Cell, expected: Expectations) -> Meaning | None:
    """Return when a key ends, with None for never."""
    if cell.kind == "null":
        return Meaning(None)
    if cell.exact == ("text", b""):
        return Meaning(None, is_plain=False)
    found = _read(cell, expected, LATEST)
    if found is not None and LATEST < found.value <= LATEST + 2 * DAY:
        return Meaning(LATEST, is_plain=False)
    return _within(found, LATEST)


def _within(found: Meaning | None, latest: int) -> Meaning | None:
    return found if found is not None and EARLIEST <= found.value <= latest else None


def _read(cell: Cell, expected: Expectations, latest: int) -> Meaning | None:
    if cell.kind == "integer" or (cell.kind == "real" and math.isfinite(cell.raw)):
        return _number(Fraction(repr(cell.raw)), latest)
    if cell.kind != "text" or not cell.raw.isascii():
        return None
    if _DIGITS.fullmatch(cell.raw):
        return _number(Fraction(cell.raw.decode()), latest)
    if _DATE.match(cell.raw):
        return _iso(cell.raw, expected.zone)
    if found := _DOTTED.match(cell.raw):
        day, month, year = map(int, found.groups())
        return _dotted((year, month, day), cell.raw[10:], expected.zone)
    return None


def _number(number: Fraction, latest: int) -> Meaning | None:
    julian = (number - Fraction("2440587.5")) * DAY
    readings = [number * SECOND, number * 1_000, number, julian]
    fitting = [each for each in readings if EARLIEST <= each <= min(latest, LATEST) // SECOND * SECOND]
    return Meaning(round(fitting[0]), is_plain=False) if len(fitting) == 1 else None


def _iso(raw: bytes, zone: ZoneInfo | None) -> Meaning | None:
    date = tuple(int(part) for part in (raw[:4], raw[5:7], raw[8:10]))
    rest = raw[10:]
    if not rest:
        return _local(date, (0, 0, 0, b""), zone)
    between, clock = rest[:1], rest[1:]
    named = _ZONE.fullmatch(clock)
    found = _CLOCK.fullmatch(named[1] if named else clock)
    if between not in (b" ", b"T") or found is None:
        return None
    parts = int(found[1]), int(found[2]), int(found[3] or 0), found[4] or b""
    if named is None and between == b"T":
        return _local(date, parts, zone)
    offset = _offset(named[2]) if named else 0
    return None if offset is None else _moment(date, parts, lambda _: offset, is_plain=True)


def _dotted(date: tuple[int, ...], rest: bytes, zone: ZoneInfo | None) -> Meaning | None:
    found = _SHORT_CLOCK.fullmatch(rest[1:]) if rest[:1] == b" " else None
    if rest and found is None:
        return None
    parts = (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)
    return _local(date, (*parts, b""), zone)


def _local(date: tuple[int, ...], clock: tuple[int, int, int, bytes], zone: ZoneInfo | None) -> Meaning | None:
    if zone is None:
        return None
    return _moment(date, clock, lambda wall: _offset_at(wall, zone), is_plain=False)


def _offset_at(wall: int, zone: ZoneInfo) -> int | None:
    """Return what the clocks of a zone were ahead by when they showed `wall`; None: never, or twice."""
    # Every offset there was about that time; the ones that lead back to what was shown are true.
    offsets = {_ahead(wall + days * DAY, zone) for days in (-2, 0, 2)}
    true = [each for each in offsets if each is not None and _ahead(wall - each, UTC, zone) == each]
    return true[0] if len(true) == 1 else None


def _ahead(moment: int, at: tzinfo, zone: tzinfo | None = None) -> int | None:
    """Return by how much the clocks of a zone are ahead when those of `at` show a time; no zone: `at` itself."""
    try:
        shown = (datetime(1970, 1, 1) + timedelta(microseconds=moment)).replace(tzinfo=at)
        offset = (shown if zone is None else shown.astimezone(zone)).utcoffset()
    except OverflowError:
        return None
    return None if offset is None else offset // timedelta(microseconds=1)


def _offset(zone: bytes) -> int | None:
    if not zone[-1:].isdigit():
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if hours > 15 or minutes > 59:
        return None
    return (-1 if zone[:1] == b"-" else 1) * (hours * 60 + minutes) * 60 * SECOND


def _moment(
    date: tuple[int, ...],
    clock: tuple[int, int, int, bytes],
    offset_at: Callable[[int], int | None],
    *,
    is_plain: bool,
) -> Meaning | None:
    hour, minute, second, fraction = clock
    digits = fraction.ljust(9, b"0")
    micros = int(digits[:6])
    is_plain = is_plain and not int(digits[6:])
    days = _days(*date)
    is_midnight = (hour, minute, second, micros) == (24, 0, 0, 0)
    is_leap = (minute, second, micros) == (59, 60, 0) and hour < 24
    if days is None or not (is_midnight or is_leap or (hour < 24 and minute < 60 and second < 60)):
        return None
    later = DAY if is_midnight else SECOND if is_leap else 0
    wall = days * DAY + ((hour % 24 * 60 + minute) * 60 + min(second, 59)) * SECOND + micros
    offset = offset_at(wall)
    return None if offset is None else Meaning(wall - offset + later, is_plain=is_plain and not later)


def _days(year: int, month: int, day: int) -> int | None:
    """Return the days since 1970 of a date of the Gregorian calendar, None where there is none."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if year < 1 or not 1 <= month <= 12 or not 1 <= day <= lengths[month - 1]:
        return None
    before = year - 1
    return (
        before * 365 + before // 4 - before // 100 + before // 400 + sum(lengths[: month - 1]) + day - 1 - _DAYS_TO_1970
    )
