"""The credential that made a channel, rule or schedule, by its name in auth: `key:<id>` or `grant:<id>`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final

from servicekit.errors import invalid_parameter

# Made by a person at the console, or before anybody kept who it was.
THEMSELVES: Final = ""
KINDS: Final = ("key", "grant")
LONGEST_MAKER: Final = 256


class Standing(Enum):
    """The state of a credential."""

    LIVE = auto()
    """It may do what its scopes say."""
    DISABLED = auto()
    """An administrator switched it off, and may switch it on again."""
    ENDED = auto()
    """It is over for good."""


@dataclass(frozen=True, slots=True)
class Maker:
    """A credential that made something, and its current scopes."""

    subject: str
    standing: Standing
    scopes: frozenset[str]

    def could_make(self, scope: str) -> bool:
        """Tell whether what took this scope to make may go on: less, where the credential was narrowed."""
        return self.standing is not Standing.ENDED and scope in self.scopes


@dataclass(frozen=True, slots=True)
class Makers:
    """The known makers, and as of when: what was made later is not judged by it."""

    known: Sequence[Maker]
    as_of: datetime

    def lost(self, scope: str) -> list[str]:
        """Return those whose things end that took this scope to make."""
        return [maker.subject for maker in self.known if not maker.could_make(scope)]


def checked_maker(subject: str) -> str:
    """Return the name of a maker.

    Raises:
        InvalidRequest: no credential has it.
    """
    kind, _, id = subject.partition(":")
    named = kind in KINDS and bool(id) and len(subject) <= LONGEST_MAKER and subject.isprintable()
    if subject == THEMSELVES or named:
        return subject
    raise invalid_parameter("maker", "The maker must be key:<id> or grant:<id>.")
