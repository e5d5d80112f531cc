"""Query values in the column store's format: moments are Unix microseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from services.usage.domain.record import EPOCH
from services.usage.statistics.domain.query import Dimension

_MICROSECOND: Final = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Return Unix microseconds."""
    return (moment - EPOCH) // _MICROSECOND


def moment_of(microseconds: int) -> datetime:
    """Return the moment of Unix microseconds."""
    return EPOCH + microseconds * _MICROSECOND


def filter_values(filters: Mapping[Dimension, Sequence[str]]) -> dict[str, list[str]]:
    """Return the parameters of `statement.conditions_of`."""
    return {f"filter_{place}": list(filters[each]) for place, each in enumerate(sorted(filters), 1)}
