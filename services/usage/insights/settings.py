"""Settings of insights."""

from __future__ import annotations

from pydantic import Field

from servicekit.settings import Part


class InsightsSettings(Part):
    """The jobs that look for patterns, and for expensive days and hours."""

    every_s: float = Field(300.0, gt=0)
    """Seconds from one look to the next: an hour that runs away is found that late at most, a user's day is analysed
    that long after 00:15 UTC."""
