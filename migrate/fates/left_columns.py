"""left_columns: columns of the operator's own that an account or a key has no place for; their values are not lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from migrate.fates.fate import Repair
from migrate.fates.records import Account, Key
from migrate.rules.verdict import Stored
from services.auth.shared.domain.tier import Tier

TIER: Final = "tier"


def left_columns(record: Account | Key) -> Iterator[Repair]:
    """Yield the operator's own columns that 1.1 has no place for: their values stay in the report."""
    has_place = isinstance(record, Account) and not record.is_merged_away
    for name, value in record.extra.items():
        if value is not None and not (has_place and name == TIER and tier_of(value) is not None):
            yield Repair(name, value, None, "column_left_in_report")


def tier_of(value: Stored) -> Tier | None:
    """Return the tier that a text names; None: no tier."""
    return next((tier for tier in Tier if isinstance(value, bytes) and tier.value.encode() == value.lower()), None)
