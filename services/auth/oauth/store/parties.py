"""Client and user of a row, which may vanish while it is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from services.auth.oauth.domain.grant import PartyGone


@contextmanager
def existing_parties() -> Iterator[None]:
    """Raise `PartyGone` when the row of the block names a client or user that does not exist."""
    try:
        yield
    except asyncpg.ForeignKeyViolationError as exc:
        raise PartyGone from exc
