"""Limits on how much one account may have."""

from __future__ import annotations

from dataclasses import dataclass

from servicekit.errors import Conflict, ErrorReason


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most live items of each kind that one account may have."""

    keys: int
    clients: int
    grants: int
    sessions: int


def check_room(there: int, most: int, noun: str) -> None:
    """Refuse one more.

    Raises:
        Conflict: there are as many as there may be.
    """
    if there >= most:
        message = f"An account has at most {most} {noun}. End one first."
        raise Conflict(ErrorReason.CONFLICT, message, details={"limit": str(most)})
