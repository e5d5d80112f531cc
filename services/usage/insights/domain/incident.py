"""An incident: consecutive days, or an hour, that cost more than expected, and the user's feedback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from servicekit.errors import invalid_parameter
from services.usage.insights.domain.anomaly import Cause
from services.usage.insights.domain.finding import Found, Pattern, found
from services.usage.insights.domain.values import Day, Money, Name, Values

# What goes on for longer is not an incident any more, it is how things are.
LONGEST_DAYS: Final = 7


class Grain(StrEnum):
    """The time unit of an incident."""

    DAY = "day"
    HOUR = "hour"


class Feedback(StrEnum):
    """The user's feedback: an expected incident raises the threshold of similar ones."""

    NONE = ""
    EXPECTED = "expected"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True)
class Incident:
    """Costs in micro-roubles; `ends_at` is excluded; days begin at midnight in `zone`."""

    id: str
    user_id: str
    grain: Grain
    begins_at: datetime
    ends_at: datetime
    expected_micro_rub: int
    actual_micro_rub: int
    cause: Cause
    found_at: datetime
    feedback: Feedback = Feedback.NONE
    zone: str = "UTC"

    @property
    def first_day(self) -> date:
        """Return the day on which it begins in its zone."""
        return self.begins_at.astimezone(ZoneInfo(self.zone)).date()

    @property
    def days(self) -> int:
        """Return how many days it has in its zone, whatever clocks do; of an hour none, or the one that it ends."""
        return (self.ends_at.astimezone(ZoneInfo(self.zone)).date() - self.first_day).days

    def as_finding(self) -> Found:
        """Return it as it is shown among patterns."""
        values: Values = {
            "day": Day(self.first_day),
            "actual": Money(self.actual_micro_rub),
            "expected": Money(self.expected_micro_rub),
            "cause": Name(f"{self.cause.dimension} {self.cause.value}".strip() or "-"),
            "excess": Money(self.cause.excess_micro_rub, signed=True),
            **self._when(),
        }
        span = {"from": self.begins_at.isoformat(), "to": self.ends_at.isoformat(), "tz": self.zone}
        by_cause = {"group_by": self.cause.dimension} if self.cause.dimension else {}
        query = {**span, "bucket": self.grain.value, **by_cause}
        return found(Pattern.ANOMALY, self.id, values, query, wording=self._wording)

    @property
    def _wording(self) -> str:
        if self.grain is Grain.HOUR:
            return "anomaly_hour"
        return "anomaly" if self.days == 1 else "anomaly_days"

    def _when(self) -> Values:
        """Return what the figures are of, where that is not one day."""
        begins, ends = (moment.astimezone(ZoneInfo(self.zone)) for moment in (self.begins_at, self.ends_at))
        if self.grain is Grain.HOUR:
            return {"time": Name(f"{begins:%H:%M}–{ends:%H:%M}"), "zone": Name(self.zone)}
        return {"last_day": Day(ends.date() - timedelta(days=1))}


def incident_id(user_id: str, grain: Grain, begins_at: datetime) -> str:
    """Return the id of what begins then: whoever finds it gives it the same."""
    return str(uuid5(NAMESPACE_URL, f"razvilka:incident:{user_id}:{grain}:{begins_at.astimezone(UTC).isoformat()}"))


def check_feedback(said: Feedback | None) -> Feedback:
    """Return what was said.

    Raises:
        InvalidRequest: nothing.
    """
    if not said:
        text = "Say whether it was `expected` or `unexpected` (field `feedback`)."
        raise invalid_parameter("feedback", text)
    return said


def without_incidents(first: date, costs: Sequence[int], incidents: Sequence[Incident]) -> list[float]:
    """Return the costs of days from `first` on, those of short incidents as they should have been.

    An incident that is not over must not hide its next day; what was expected, or lasts, is how things are.
    """
    days = [float(cost) for cost in costs]
    for incident in incidents:
        length = incident.days
        if incident.grain is not Grain.DAY or incident.feedback is Feedback.EXPECTED or length > LONGEST_DAYS:
            continue
        begin = (incident.first_day - first).days
        for at in range(max(0, begin), min(len(days), begin + length)):
            days[at] = min(days[at], incident.expected_micro_rub / length)
    return days
