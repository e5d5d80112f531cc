"""Users, their sessions, keys and mails, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from razvilka.auth.v1 import account_pb2 as pb

from services.gateway.admission.periods import BudgetPeriod
from services.gateway.clients.periods import TIERS
from services.gateway.clients.timestamps import moment


@dataclass(frozen=True, slots=True)
class Profile:
    """A user."""

    user_id: str
    email: str
    email_verified: bool
    name: str
    language: str
    time_zone: str
    totp_enabled: bool
    tier: str
    has_password: bool
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class SessionView:
    """A login session; `id` is public."""

    id: str
    created_at: datetime | None
    last_seen_at: datetime | None
    expires_at: datetime | None
    ip: str
    user_agent: str
    current: bool


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A fresh session. `secret` belongs into the cookie and nowhere else."""

    secret: str
    session: SessionView
    profile: Profile
    return_to: str = ""

    def __repr__(self) -> str:
        return f"LoggedIn(session={self.session.id})"


@dataclass(frozen=True, slots=True)
class Totp:
    """A second factor that is being set up."""

    secret: str
    uri: str
    qr_svg: str

    def __repr__(self) -> str:
        return "Totp()"


@dataclass(frozen=True, slots=True)
class ExternalProvider:
    """An OpenID provider that is set up."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail in the local outbox."""

    to: str
    subject: str
    text: str
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeyView:
    """An API key as lists show it. `lineage_id`: the first of its line of rotations, whose budgets are its own."""

    id: str
    name: str
    prefix: str
    last_four: str
    scopes: tuple[str, ...]
    models: tuple[str, ...]
    ip_allow_list: tuple[str, ...]
    created_at: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    budget_micro_rub: int
    budget_period: BudgetPeriod | None
    disabled: bool
    cache_ttl_s: int | None
    lineage_id: str


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a new key is to be; empty fields take the defaults of a key."""

    name: str
    scopes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    ip_allow_list: tuple[str, ...] = ()
    expires_at: datetime | None = None
    budget_micro_rub: int = 0
    budget_period: BudgetPeriod | None = None
    cache_ttl_s: int | None = None


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key with its secret, which is shown this once."""

    key: KeyView
    secret: str

    def __repr__(self) -> str:
        return f"IssuedKey(id={self.key.id})"


def logged_in_from_proto(answer: Any, return_to: str = "") -> LoggedIn:
    """Return who logged in."""
    return LoggedIn(
        answer.session_id, session_from_proto(answer.session), profile_from_proto(answer.profile), return_to
    )


def session_from_proto(message: pb.Session) -> SessionView:
    """Return a session."""
    return SessionView(
        id=message.id,
        created_at=moment(message, "created_at"),
        last_seen_at=moment(message, "last_seen_at"),
        expires_at=moment(message, "expires_at"),
        ip=message.ip,
        user_agent=message.user_agent,
        current=message.current,
    )


def profile_from_proto(message: pb.Profile) -> Profile:
    """Return a user."""
    return Profile(
        user_id=message.user_id,
        email=message.email,
        email_verified=message.email_verified,
        name=message.name,
        language=message.language,
        time_zone=message.time_zone,
        totp_enabled=message.totp_enabled,
        tier=TIERS.get(message.tier, "free"),
        has_password=message.has_password,
        created_at=moment(message, "created_at"),
    )
