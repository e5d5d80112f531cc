"""Moments of a body: those that every service and every store can name."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

from servicekit.clock import in_utc


def _on_the_calendar(given: datetime) -> datetime:
    """Return the moment as it was given, unless UTC has no such year."""
    if given.tzinfo is not None:
        in_utc(given)
    return given


CalendarMoment = Annotated[datetime, AfterValidator(_on_the_calendar)]
AwareMoment = Annotated[AwareDatetime, AfterValidator(_on_the_calendar)]
