"""How many rows of a table had which fate; the sum of all is the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Counts:
    """Rows by fate."""

    as_it_is: int = 0
    repaired: int = 0
    quarantined: int = 0

    @property
    def rows(self) -> int:
        """Return how many rows have a fate."""
        return self.as_it_is + self.repaired + self.quarantined

    def as_json(self) -> dict[str, int]:
        """Return the counts in JSON's types."""
        return {"rows": self.rows, **asdict(self)}

    @classmethod
    def of(cls, kept: Mapping[str, int]) -> Counts:
        """Return what `as_json` said."""
        return cls(**{name: kept[name] for name in ("as_it_is", "repaired", "quarantined") if name in kept})
