"""The spans of the status page, and the bars that each is shown by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final


@dataclass(frozen=True, slots=True)
class Span:
    """A span up to now, in whole hours or days of UTC.

    Attributes:
        bucket: `hour` or `day`, as statistics call it.
        bars: how many.
        step: how long one is.
        kept_s: seconds for which figures of it are told again without asking.
    """

    bucket: str
    bars: int
    step: timedelta
    kept_s: float

    def begins_at(self, now: datetime) -> datetime:
        """Return the beginning of the first bar; the last one is not over yet."""
        begun = now.replace(minute=0, second=0, microsecond=0)
        if self.bucket == "day":
            begun = begun.replace(hour=0)
        return begun - (self.bars - 1) * self.step


KEPT_S: Final = 30.0
# The longer ones change slowly, and are dear to ask for.
SPANS: Final = {
    "24h": Span("hour", 24, timedelta(hours=1), KEPT_S),
    "7d": Span("day", 7, timedelta(days=1), 300.0),
    "90d": Span("day", 90, timedelta(days=1), 900.0),
}
