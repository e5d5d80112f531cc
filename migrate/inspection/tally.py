"""Counts of fates, repairs and reasons, and what tells in which zone 1.0's server wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from migrate.fates.fate import Fate, Moved, Quarantined, Repair
from migrate.rules.verdict import Stored, Text
from migrate.source.scan import Hole


@dataclass(slots=True)
class TableCount:
    """The rows of a table by their fate.

    Attributes:
        rows: that were read.
        as_it_is: moved without a change.
        repaired: moved with one.
        quarantined: that wait for a person.
        repairs: by (field, rule).
        reasons: of the quarantine by (field, reason).
        orphans: moved usage rows of users that are not there.
        holes: what could not be read.
    """

    rows: int = 0
    as_it_is: int = 0
    repaired: int = 0
    quarantined: int = 0
    repairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    orphans: int = 0
    holes: list[Hole] = field(default_factory=list)

    def count(self, fate: Fate[Any], left: Iterable[Repair] = ()) -> None:
        """Count a row; `left`: its columns that 1.1 has no place for."""
        self.rows += 1
        match fate:
            case Quarantined(reason, name):
                self.quarantined += 1
                self.reasons[name, reason] += 1
            case Moved(_, repairs):
                all_of_them = [(repair.field, repair.rule) for repair in (*repairs, *left)]
                self.repaired += bool(all_of_them)
                self.as_it_is += not all_of_them
                self.repairs.update(all_of_them)

    def as_json(self) -> dict[str, Any]:
        """Return the counts in JSON's types."""
        return {
            "rows": self.rows,
            "as_it_is": self.as_it_is,
            "repaired": self.repaired,
            "quarantined": self.quarantined,
            "repairs": _named(self.repairs, "rule"),
            "reasons": _named(self.reasons, "reason"),
            "orphans": self.orphans,
            "unreadable": [{"first_rowid": hole.first, "last_rowid": hole.last} for hole in self.holes],
        }


@dataclass(slots=True)
class ZoneEvidence:
    """What speaks for and against a zone of times that say none.

    Attributes:
        naive: how many times there are without a zone, and not as CURRENT_TIMESTAMP writes them.
        later_than_file: of usage rows, read as UTC, how many are later than the file was last changed.
        hours_ahead: how much later the latest of them is: the server's zone was ahead of UTC by that at least.
        used_before_made: keys whose last use, read as UTC, is before they were made, which SQLite wrote in UTC.
        by_hour: usage rows by the hour that is written; people sleep.
    """

    naive: int = 0
    later_than_file: int = 0
    hours_ahead: float = 0.0
    used_before_made: int = 0
    by_hour: Counter[int] = field(default_factory=Counter)

    def see(self, text: bytes, changed_at: datetime) -> None:
        """Look at a time as it is stored, 19 characters or more, with a `T`."""
        try:
            local = datetime.fromisoformat(text[:19].decode("ascii"))
        except ValueError:
            return
        self.naive += 1
        self.by_hour[local.hour] += 1
        ahead = (local.replace(tzinfo=changed_at.tzinfo) - changed_at).total_seconds()
        self.later_than_file += ahead > 0
        self.hours_ahead = max(self.hours_ahead, round(ahead / 3600, 1))

    def see_key(self, created_at: Stored, last_used_at: Stored) -> None:
        """Look at the two times of a key: a zone behind UTC shows when one is naive and the other is not."""
        made, used = _moment(created_at), _moment(last_used_at)
        if made is not None and used is not None:
            self.used_before_made += used < made

    @property
    def quietest_hour(self) -> int | None:
        """Return the hour with the fewest rows; None without rows."""
        return min(range(24), key=lambda hour: self.by_hour[hour]) if self.naive else None

    def as_json(self) -> dict[str, Any]:
        """Return the evidence in JSON's types."""
        return {
            "naive_times": self.naive,
            "later_than_the_file_if_utc": self.later_than_file,
            "hours_later_than_the_file_if_utc": self.hours_ahead,
            "keys_used_before_they_were_made_if_utc": self.used_before_made,
            "quietest_hour_as_written": self.quietest_hour,
        }


def _moment(stored: Stored) -> datetime | None:
    """Return a time as it is written, its zone left out."""
    if not isinstance(stored, Text):
        return None
    try:
        return datetime.fromisoformat(stored[:19].decode("ascii"))
    except ValueError:
        return None


def _named(counts: Mapping[tuple[str, str], int], noun: str) -> list[dict[str, Any]]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"field": name, noun: what, "rows": rows} for (name, what), rows in ordered]
