"""The clock that services take as an argument, so that tests can set the time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, Protocol

LEASES_DIFFER: Final = timedelta(minutes=10)
"""By how much clocks, and leases of other settings, may differ: one that ends later than the longest that can be taken
now by more than this was written by a clock that was ahead."""
LEASES_DIFFER_MS: Final = LEASES_DIFFER // timedelta(milliseconds=1)
_HALF_A_DAY: Final = timedelta(hours=12)


def in_utc(moment: datetime) -> datetime:
    """Return an aware moment in UTC.

    Raises:
        ValueError: UTC has no such year: `9999-12-31T23:59:59-12:00` lies in the year 10000.
    """
    try:
        return moment.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("must lie between the years 1 and 9999 of UTC") from exc


def day_nearest(moment: datetime, zone: tzinfo) -> date:
    """Return the day of a time zone whose beginning is nearest to a moment.

    Periods of another zone begin and end within a day of this one.
    """
    return (moment.astimezone(zone) + _HALF_A_DAY).date()


class Clock(Protocol):
    """The three things a service asks of time."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""
        return datetime.now(UTC)

    # As it is: a dozen times a request a function of ours around it costs more than the clock.
    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
