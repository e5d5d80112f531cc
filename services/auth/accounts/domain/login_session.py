"""A stored login session, and when it expires."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.auth.shared.domain.account import Account


@dataclass(frozen=True, slots=True)
class LoginSession:
    """A session; its secret is not stored, `digest` identifies it.

    Args:
        id: public, for lists and revocation.
        epoch: the account's session epoch when it began.
        authenticated_at: when the password or another proof was last given.
        methods: by which proofs it began (RFC 8176): "pwd", "otp", "fed" (another provider said so).
    """

    id: str
    digest: str
    user_id: str
    epoch: int
    created_at: datetime
    authenticated_at: datetime
    last_seen_at: datetime
    ip: str
    user_agent: str
    methods: tuple[str, ...] = ()

    def belongs_to(self, account: Account) -> bool:
        """Tell whether the account lets this session go on."""
        return self.user_id == account.id and account.is_usable and self.epoch == account.session_epoch


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """Lifetimes of sessions."""

    idle: timedelta
    absolute: timedelta
    # Writing the last use at each request would cost more than reading the session.
    seen_every: timedelta = timedelta(minutes=1)

    def expires_at(self, session: LoginSession) -> datetime:
        """Return when it ends if nobody uses it any more."""
        return min(session.last_seen_at + self.idle, session.created_at + self.absolute)

    def is_live(self, session: LoginSession, now: datetime) -> bool:
        """Tell whether its time is not over."""
        return now < self.expires_at(session)
