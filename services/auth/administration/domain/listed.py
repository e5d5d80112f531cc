"""Pages of accounts, and the result of an audit log check."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from services.auth.shared.domain.audit import ChainHead
from services.auth.shared.domain.tier import Tier

DEFAULT_PAGE: Final = 50
MOST_ROWS: Final = 200


@dataclass(frozen=True, slots=True)
class ListedUser:
    """An account as administrators see it; `live_keys` are neither revoked nor expired."""

    id: str
    email: str = field(repr=False)
    email_verified: bool
    name: str = field(repr=False)
    tier: Tier
    is_admin: bool
    is_disabled: bool
    created_at: datetime
    live_keys: int


@dataclass(frozen=True, slots=True)
class AuditQuestion:
    """A filter of audit rows: each text must match exactly, "" matches any; `before`: only lower numbers, 0 any."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    before: int = 0


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """The last intact row, the first broken one (None: none), and whether the end of the log was reached."""

    head: ChainHead
    broken_at: int | None
    is_complete: bool


def page_size(given: int) -> int:
    """Return how many rows a page has: what is asked for, within what a page may have."""
    return min(given, MOST_ROWS) if given > 0 else DEFAULT_PAGE
