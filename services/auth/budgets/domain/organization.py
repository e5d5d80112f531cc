"""Organizations: accounts that share a cap."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from servicekit.errors import invalid_parameter

MAX_NAME: Final = 200
DEFAULT_ZONE: Final = "Europe/Moscow"
# To a page, with all their members.
DEFAULT_PAGE: Final = 50
MOST_LISTED: Final = 200


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization and its members. `time_zone` is that of its budgets."""

    id: str
    name: str
    time_zone: str
    created_at: datetime
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Membership:
    """Somebody's time in an organization; `left_at` is None while it lasts."""

    user_id: str
    joined_at: datetime
    left_at: datetime | None


def check_name(given: str) -> str:
    """Return the name without surrounding blanks.

    Raises:
        InvalidRequest: empty, too long, or not printable.
    """
    name = given.strip()
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        text = f"The name must have 1 to {MAX_NAME} printable characters."
        raise invalid_parameter("name", text)
    return name
