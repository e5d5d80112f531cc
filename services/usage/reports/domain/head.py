"""The header of a report: owner, period, time zone and snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.usage.domain.days import moment_in
from services.usage.reports.domain.order import Order, zone_of
from services.usage.reports.domain.words import word


@dataclass(frozen=True, slots=True)
class Head:
    """The header of a report; `taken_at` is the time of its snapshot."""

    order: Order
    taken_at: datetime

    @property
    def title(self) -> str:
        """Return the title in the report's language."""
        return word(f"title.{self.order.wishes.kind.value}", self.order.wishes.language)

    def local(self, at: datetime) -> datetime:
        """Return the moment in the report's zone."""
        return at.astimezone(zone_of(self.order.wishes))

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield label and value, for people."""
        order, language = self.order, self.order.wishes.language
        yield word("period", language), f"{self._told(order.since)} – {self._told(order.until)}"
        yield word("zone", language), order.wishes.zone
        yield word("snapshot", language), moment_in(language, self.local(self.taken_at), "%H:%M:%S %z")
        yield word("user", language), order.user_id
        yield word("filters", language), self._filters() or word("no_filters", language)

    def as_json(self) -> dict[str, Any]:
        """Return the facts for programs."""
        wishes = self.order.wishes
        return {
            "report": wishes.kind.value,
            "user_id": self.order.user_id,
            "from": self.local(self.order.since).isoformat(),
            "to": self.local(self.order.until).isoformat(),
            "tz": wishes.zone,
            "snapshot_at": self.local(self.taken_at).isoformat(),
            "filters": {dimension.value: list(values) for dimension, values in sorted(wishes.filters.items())},
        }

    def _told(self, at: datetime) -> str:
        return moment_in(self.order.wishes.language, self.local(at))

    def _filters(self) -> str:
        language = self.order.wishes.language
        narrowed = sorted(self.order.wishes.filters.items())
        return "; ".join(
            f"{word(f'filter.{dimension.value}', language)}: {', '.join(values)}" for dimension, values in narrowed
        )
