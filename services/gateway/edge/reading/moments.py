"""Moments of a body: those that every service and every store can name."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from servicekit.clock import in_utc


def _on_the_calendar(given: datetime) -> datetime:
    """Return the moment as it was given, unless UTC has no such year."""
    if given.tzinfo is not None:
        in_utc(given)
    return given


def _written_out(given: Any) -> Any:
    """Return a moment that is written as one: a number, as 20270630, would be seconds of 1970 without a word."""
    if isinstance(given, datetime) or (isinstance(given, str) and given[4:5] == "-"):
        return given
    raise ValueError("must be a moment such as 2027-06-30T00:00:00Z")


CalendarMoment = Annotated[datetime, AfterValidator(_on_the_calendar)]
AwareMoment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_on_the_calendar)]
