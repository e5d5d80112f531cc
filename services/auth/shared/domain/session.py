"""A login session as far as OAuth needs to know it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from servicekit.errors import ErrorReason, Unauthenticated

# How long ago a proof may lie before what an unattended screen must not do.
FRESH: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Session:
    """A live login session.

    Args:
        id: the public id; the secret is in the cookie only.
        user_id: whose.
        email: the address shown as "you are logged in as".
        authenticated_at: when the password (and second factor) was last given: OpenID's `auth_time`.
        is_admin: whether this person may hand out the scope `admin`.
        methods: by which proofs the session began (RFC 8176).
        epoch: which of the account's passwords it belongs to; None: whoever tells of the session does not know.
    """

    id: str
    user_id: str
    email: str
    authenticated_at: datetime
    is_admin: bool = False
    methods: tuple[str, ...] = ()
    epoch: int | None = None

    def check_fresh(self, user_id: str, now: datetime) -> None:
        """Refuse a session that is not this user's, or whose holder has proved themselves too long ago.

        Raises:
            Unauthenticated: INVALID_CREDENTIALS.
        """
        if self.user_id != user_id or not is_fresh(self.authenticated_at, now):
            raise must_prove()


class Sessions(Protocol):
    """Finds login sessions."""

    async def find(self, secret: str) -> Session | None:
        """Return the live session of a cookie's secret; None for anything else, whatever bytes it has.

        Raises:
            Unavailable: the sessions cannot be read now. Never answer None for that: it would log people out.
        """
        ...


def is_fresh(proved_at: datetime, now: datetime) -> bool:
    """Tell whether a proof is recent enough for what an unattended screen must not do."""
    return now - proved_at <= FRESH


def must_prove() -> Unauthenticated:
    """Return the refusal of somebody who must prove once more who they are."""
    return Unauthenticated(ErrorReason.INVALID_CREDENTIALS, "Log in again to do this.", param="session_id")
