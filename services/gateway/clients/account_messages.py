"""Messages of the account service as values."""

from __future__ import annotations

from typing import Any

from razvilka.auth.v1 import account_pb2 as pb

from services.gateway.clients.account_views import LoggedIn, Profile, SessionView
from services.gateway.clients.periods import TIERS
from services.gateway.clients.timestamps import moment


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
