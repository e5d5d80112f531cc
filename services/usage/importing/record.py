"""A usage row of release 1.0: its id does not tell its time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from services.usage.domain.record import COLUMNS, EPOCH, Source, Status, UsageRecord

_MILLISECOND: Final = timedelta(milliseconds=1)
_ZEROS: Final[Mapping[str, Any]] = {"text": "", "integer": 0, "bigint": 0, "boolean": False, "timestamptz": None}
# What release 1.0 did not know of a request.
UNKNOWN: Final[Mapping[str, Any]] = {
    **{column.name: _ZEROS.get(column.sql_type, b"") for column in COLUMNS},
    "status": Status.COMPLETED,
    "source": Source.IMPORTED,
    "attempts": (),
    "metadata": {},
}


@dataclass(frozen=True, slots=True)
class ImportedRecord(UsageRecord):
    """A row with a time of its own; `price_version` names the source that it came from."""

    at: datetime

    @property
    def time_ms(self) -> int:
        """Return the Unix milliseconds of the row."""
        return (self.at - EPOCH) // _MILLISECOND

    @property
    def created_at(self) -> datetime:
        """Return the row's own time, to the microsecond."""
        return self.at


def imported(at: datetime, source_id: str, **known: Any) -> ImportedRecord:
    """Return the record of what is known of a row."""
    return ImportedRecord(**{**UNKNOWN, **known, "price_version": tag_of(source_id), "at": at})


def tag_of(source_id: str) -> str:
    """Return what tells the rows of a source from all others."""
    return f"import:{source_id}"
