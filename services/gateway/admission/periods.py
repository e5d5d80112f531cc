"""Budget periods: days, weeks and months of their owner's time zone, daylight saving included.

A request belongs to the periods that contain the time inside its id, in hold, settlement, row and rebuild alike: the
row's place in the books comes from the same id, so no clock and no midnight can part the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MICROSECONDS: Final = 1_000_000
DAY_S: Final = 86_400
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class BudgetPeriod(StrEnum):
    """How long a budget lasts; a week begins on Monday. The values are parts of Redis keys."""

    DAY = "d"
    WEEK = "w"
    MONTH = "m"
    TOTAL = "t"

    @property
    def label(self) -> str:
        """Return its name in answers."""
        return "lifetime" if self is BudgetPeriod.TOTAL else self.name.lower()


@dataclass(frozen=True, slots=True)
class Window:
    """One period: Unix seconds of its beginning, and of its end, which is the beginning of the next one."""

    starts_s: int
    ends_s: int


def id_time_ms(request_id: str) -> int:
    """Return the Unix milliseconds inside a UUIDv7; 0 for what is none: settling must not fail over an id."""
    try:
        return int(request_id[:8] + request_id[9:13], 16)
    except ValueError:
        return 0


def moment(unix_s: int) -> datetime:
    """Return Unix seconds as an aware datetime."""
    return EPOCH + timedelta(seconds=unix_s)


def window_of(period: BudgetPeriod, zone: str, at_s: int) -> Window | None:
    """Return the period that contains Unix second `at_s` in the zone of this IANA name; None: it never ends.

    A zone that nobody knows counts as UTC: a name that this machine lacks must not refuse requests.
    """
    if period is BudgetPeriod.TOTAL:
        return None
    last = _last.get((period, zone))
    if last is None or not last.starts_s <= at_s < last.ends_s:
        # A zone has one current day, week and month: whoever asks next most likely asks for these.
        last = _last[period, zone] = _window(period, _zone(zone), at_s)
    return last


_last: Final[dict[tuple[BudgetPeriod, str], Window]] = {}


def _window(period: BudgetPeriod, zone: tzinfo, at_s: int) -> Window:
    day = moment(at_s).astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0)
    if period is BudgetPeriod.MONTH:
        day = day.replace(day=1)
        following = (day + timedelta(days=31)).replace(day=1)
    elif period is BudgetPeriod.WEEK:
        day -= timedelta(days=day.weekday())
        following = day + timedelta(days=7)
    else:
        following = day + timedelta(days=1)
    return Window(_instant(day, zone), _instant(following, zone))


def _instant(midnight: datetime, zone: tzinfo) -> int:
    # A midnight that daylight saving skips means the moment of the change; one that comes twice, its first time.
    return int(midnight.replace(tzinfo=zone).timestamp())


@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
