"""The usage service as the model of the books knows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from services.gateway.admission.keys import CountedSpan
from services.usage.domain.record import UsageRecord
from services.usage.tests.records import record

USER: Final = "user-1"
KEY: Final = "key-1"


class UsageModel:
    """The usage service: rows by id, and the rollup that grows with them."""

    def __init__(self) -> None:
        self.rows: dict[str, UsageRecord] = {}
        self.days: dict[Any, int] = {}

    def store(self, request_id: str, cost: int) -> None:
        """Store a row once; the same id again changes nothing."""
        if request_id in self.rows:
            return
        row = replace(record(), request_id=request_id, user_id=USER, key_id=KEY, cost_micro_rub=cost)
        self.rows[request_id] = row
        key = (row.user_id, row.created_at.date(), row.key_id)
        self.days[key] = self.days.get(key, 0) + cost

    def spent(self, span: CountedSpan, since: datetime | None, until: datetime | None) -> int:
        """Return what rows of the span cost that were made from `since` until before `until`."""
        bounds = [(each or default) for each, default in ((since, _FIRST), (until, _LAST))]
        begins, ends = max(bounds[0], span.since or _FIRST), min(bounds[1], span.until or _LAST)
        return sum(row.cost_micro_rub for row in self.rows.values() if begins <= row.created_at < ends)


_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)


_LAST: Final = datetime(9999, 1, 1, tzinfo=UTC)
