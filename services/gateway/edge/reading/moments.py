"""Moments of a body: those that every service and every store can name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime


def _on_the_calendar(given: datetime) -> datetime:
    """Return the moment, unless UTC has no such year: `9999-12-31T23:59:59-12:00` lies in the year 10000."""
    try:
        if given.tzinfo is not None:
            given.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("must lie between the years 1 and 9999 of UTC") from exc
    return given


CalendarMoment = Annotated[datetime, AfterValidator(_on_the_calendar)]
AwareMoment = Annotated[AwareDatetime, AfterValidator(_on_the_calendar)]
