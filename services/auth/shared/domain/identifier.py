"""Validates ids from outside: what cannot be one of ours does not exist."""

from __future__ import annotations

from typing import Final

from servicekit.errors import ErrorReason, NotFound

MAX_ID_LENGTH: Final = 128


def check_id(given: str, *, param: str, noun: str) -> str:
    """Return the id.

    Raises:
        NotFound: no stored id looks like this; the database, which refuses NUL, is not asked.
    """
    if not 1 <= len(given) <= MAX_ID_LENGTH or not given.isprintable():
        raise NotFound(ErrorReason.NOT_FOUND, f"There is no such {noun}.", param=param)
    return given
