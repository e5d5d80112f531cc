"""Where the records of this process are: appended = shipped + dead-lettered + quarantined + pending."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Accounts:
    """Where the records of this process are; `unaccounted` is what nobody can say of, and must be 0."""

    appended: int = 0
    shipped: int = 0
    dead_lettered: int = 0
    quarantined: int = 0
    unaccounted: int = 0

    @property
    def pending(self) -> int:
        """Return how many wait for the usage service."""
        return self.appended - self.shipped - self.dead_lettered - self.quarantined - self.unaccounted
