"""What other services know of a user who has rules: told by the gateway again and again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

LANGUAGES: Final = ("ru", "en")


@dataclass(frozen=True, slots=True)
class Person:
    """How to write to somebody; `email` is empty as long as it is not confirmed."""

    user_id: str
    email: str = field(repr=False)
    language: str = "ru"
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class WatchedBudget:
    """A cap on what a subject may spend, and the period that runs now.

    Attributes:
        subject: `user:<id>`, `key:<id>` or `grant:<id>`, as spend is summed by.
        name: what its owner calls it.
        ends_at: when the period ends; None: never.
    """

    subject: str
    name: str
    limit_micro_rub: int
    period: str
    starts_at: datetime | None
    ends_at: datetime | None


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
