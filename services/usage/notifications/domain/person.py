"""What other services know of a user with rules; the gateway sends it regularly."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

LANGUAGES: Final = ("ru", "en")
ORGANIZATION: Final = "organization:"


@dataclass(frozen=True, slots=True)
class Person:
    """How to write to a user; `email` is empty until it is confirmed."""

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
    """A spending cap of a subject, and its current period.

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
    """An API key that expires."""

    key_id: str
    name: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Watched:
    """A user with everything that is watched for them."""

    person: Person
    budgets: tuple[WatchedBudget, ...] = ()
    keys: tuple[EndingKey, ...] = ()


@dataclass(frozen=True, slots=True)
class EndingModel:
    """A model of the catalogue with a shutdown date."""

    model: str
    shutdown_at: datetime
    successor: str = ""
