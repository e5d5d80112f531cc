"""What other services know of a user with rules; the gateway sends it regularly."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

LANGUAGES: Final = ("ru", "en")
ORGANIZATION: Final = "organization:"


@dataclass(frozen=True, slots=True)
class Person:
    """How to write to somebody; `email` is empty as long as it is not confirmed."""

    user_id: str
    email: str = field(repr=False)
    language: str = "ru"
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Membership:
    """Somebody's time in an organization; `left_at` is None while it lasts."""

    user_id: str
    joined_at: datetime
    left_at: datetime | None

    def part_of(self, since: datetime | None, until: datetime | None) -> tuple[datetime, datetime | None] | None:
        """Return the part of a span (None: without that end) in which it lasted; None: it did not."""
        begins = max(self.joined_at, since or self.joined_at)
        ends = min((end for end in (self.left_at, until) if end is not None), default=None)
        return None if ends is not None and begins >= ends else (begins, ends)


@dataclass(frozen=True, slots=True)
class WatchedBudget:
    """A cap on what a subject may spend, and the period that runs now.

    Attributes:
        subject: `user:<id>`, `key:<id>`, `grant:<id>` or `organization:<id>`, as spend is summed by.
        name: what its owner calls it.
        ends_at: when the period ends; None: never.
        members: of an organization: whose spending is its own, and when.
    """

    subject: str
    name: str
    limit_micro_rub: int
    period: str
    starts_at: datetime | None
    ends_at: datetime | None
    members: tuple[Membership, ...] = ()

    @property
    def is_shared(self) -> bool:
        """Tell whether several users spend of it together."""
        return self.subject.startswith(ORGANIZATION)


@dataclass(frozen=True, slots=True)
class EndingKey:
    """An API key that has an end."""

    key_id: str
    name: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Watched:
    """A user with everything that is looked at for them."""

    person: Person
    budgets: tuple[WatchedBudget, ...] = ()
    keys: tuple[EndingKey, ...] = ()


@dataclass(frozen=True, slots=True)
class EndingModel:
    """A model of the catalogue that has a date on which it ends."""

    model: str
    shutdown_at: datetime
    successor: str = ""
