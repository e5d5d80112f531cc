"""A credential that created something kept by another service, and whether it still is valid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto


class Standing(Enum):
    """The state of a credential."""

    LIVE = auto()
    DISABLED = auto()
    """An administrator switched it off, and may switch it on again."""
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class Holding:
    """A credential that is still valid: the one asked about, or one it was rotated to."""

    maker: str
    scopes: frozenset[str]
    is_disabled: bool


@dataclass(frozen=True, slots=True)
class Maker:
    """A credential by the name asked about, with its current scopes, or those of its successors."""

    subject: str
    standing: Standing
    scopes: frozenset[str] = frozenset()


def maker_of(subject: str, holdings: Iterable[Holding]) -> Maker:
    """Return how it stands with a credential, given all of its line that are not over."""
    held = list(holdings)
    if not held:
        return Maker(subject, Standing.ENDED)
    # During the overlap of a rotation both count: what one of them may, what it made may go on with.
    usable = [each for each in held if not each.is_disabled]
    scopes = frozenset[str]().union(*(each.scopes for each in usable or held))
    return Maker(subject, Standing.LIVE if usable else Standing.DISABLED, scopes)
