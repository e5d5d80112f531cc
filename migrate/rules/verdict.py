"""A rule's verdict on one value: kept, repaired or refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Text(bytes):
    """A value of SQLite's class TEXT, as the bytes of its UTF-8 form; BLOBs are plain bytes."""

    __slots__ = ()


Stored: TypeAlias = "int | float | Text | bytes | None"
"""A value as SQLite keeps it."""


@dataclass(frozen=True, slots=True)
class Kept(Generic[T_co]):
    """The value means just this."""

    value: T_co


@dataclass(frozen=True, slots=True)
class Repaired(Generic[T_co]):
    """The value can be read in one way only, but not as it is; `rule` names the way."""

    value: T_co
    rule: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody but a person can say what the value means; `reason` says why."""

    reason: str


Verdict: TypeAlias = "Kept[T_co] | Repaired[T_co] | Refused"


def utf8(value: bytes) -> str | None:
    """Return the text, None where the bytes are no UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
