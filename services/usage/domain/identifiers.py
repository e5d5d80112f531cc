"""Ids as callers write them."""

from __future__ import annotations

from uuid import UUID

from servicekit.errors import ErrorReason, NotFound


def is_uuid(text: str) -> bool:
    """Tell whether the text is a UUID as we print them, with hyphens."""
    try:
        UUID(text)
    except ValueError:
        return False
    return len(text) == 36


def id_of(noun: str, text: str) -> UUID:
    """Return the id of the report, channel or whatever `noun` is.

    Raises:
        NotFound: it is no UUID, so nothing has it.
    """
    try:
        return UUID(text)
    except ValueError as exc:
        raise NotFound(ErrorReason.NOT_FOUND, f"There is no such {noun}.", param=f"{noun}_id") from exc
