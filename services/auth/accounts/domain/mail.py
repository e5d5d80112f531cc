"""Mails that accounts send, and the tokens in them."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class TokenPurpose(StrEnum):
    """What a mailed token can be used for."""

    REGISTER = "register"
    EMAIL_CHANGE = "email_change"
    RESET = "reset"
    CLAIM = "claim"


class MailKind(StrEnum):
    """Why a mail is sent."""

    REGISTER = "register"
    RESET = "reset"
    CLAIM = "claim"
    EMAIL_CHANGE = "email_change"
    EMAIL_CHANGED = "email_changed"
    PASSWORD_CHANGED = "password_changed"
    TOTP_ENABLED = "totp_enabled"
    TOTP_DISABLED = "totp_disabled"
    DELETED = "deleted"


class Template(StrEnum):
    """The text of a mail; `ALREADY_REGISTERED` answers registrations of addresses that have an account."""

    REGISTER = "register"
    ALREADY_REGISTERED = "already_registered"
    RESET = "reset"
    CLAIM = "claim"
    EMAIL_CHANGE = "email_change"
    EMAIL_CHANGED = "email_changed"
    PASSWORD_CHANGED = "password_changed"
    TOTP_ENABLED = "totp_enabled"
    TOTP_DISABLED = "totp_disabled"
    DELETED = "deleted"


class NotSent(StrEnum):
    """Why a mail was not sent."""

    REFUSED = "refused"
    """The mail server said never."""
    UNNEEDED = "unneeded"
    """What it was about was over before its turn came."""
    GIVEN_UP = "given_up"
    """It could not be sent in its time."""


TOKEN_LIFE: Final[dict[TokenPurpose, timedelta]] = {
    TokenPurpose.REGISTER: timedelta(hours=24),
    TokenPurpose.EMAIL_CHANGE: timedelta(hours=24),
    TokenPurpose.RESET: timedelta(minutes=30),
    # Nobody waits for this mail; it lies in its box over a weekend.
    TokenPurpose.CLAIM: timedelta(days=7),
}
# A mail that could not be sent for that long says nothing new any more.
MAIL_LIFE: Final = timedelta(hours=24)
MAIL_LIFE_OF: Final[dict[MailKind, timedelta]] = {
    MailKind.RESET: TOKEN_LIFE[TokenPurpose.RESET],
    MailKind.CLAIM: TOKEN_LIFE[TokenPurpose.CLAIM],
}
MAX_TOKEN: Final = 128


@dataclass(frozen=True, slots=True)
class NewMail:
    """A mail to be sent: what to write to whom."""

    kind: MailKind
    email: str
    language: str
    user_id: str | None = None
    name: str = ""
    password_hash: str | None = field(default=None, repr=False)

    @property
    def life(self) -> timedelta:
        """Return how long sending it makes sense."""
        return MAIL_LIFE_OF.get(self.kind, MAIL_LIFE)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail in the queue."""

    id: int
    content: NewMail
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MailedToken:
    """The content of a used token."""

    purpose: TokenPurpose
    email: str
    language: str
    user_id: str | None
    name: str
    password_hash: str | None = field(repr=False)


def new_token() -> str:
    """Return 256 random bits as text for a link."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """Return what a token is found by; whatever bytes come from outside."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def retry_after(attempts: int) -> timedelta:
    """Return how long to wait after that many attempts: 10 s, doubling, at most 15 minutes."""
    return timedelta(seconds=min(900, 10 * 2 ** min(attempts - 1, 10)))
