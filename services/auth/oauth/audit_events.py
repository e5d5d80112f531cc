"""Audit log entries about OAuth."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime

from services.auth.oauth.domain.code import AuthorizationCode
from services.auth.oauth.domain.grant import Grant
from services.auth.oauth.domain.scope_parameter import as_text
from services.auth.shared.audit_events import event_of_call
from services.auth.shared.domain.audit import AuditAction, AuditEvent

MAX_ADDRESS_LENGTH = 64

_address: ContextVar[str] = ContextVar("razvilka_oauth_address", default="")


def enter_origin(address: str) -> None:
    """Note where the request being served came from."""
    _address.set(address if len(address) <= MAX_ADDRESS_LENGTH and address.isprintable() else "")


def current_address() -> str:
    """Return where the request being served came from; empty when nobody said."""
    return _address.get()


def audit_event(action: AuditAction, at: datetime, *, actor: str, subject: str, **details: str) -> AuditEvent:
    """Return an entry; details never hold a secret."""
    where = {"ip": _address.get()} if _address.get() else {}
    return event_of_call(at, actor, action, subject, **{**details, **where})


def issue_event(action: AuditAction, grant: Grant, now: datetime, jti: str) -> AuditEvent:
    """Return the entry of an access token that was issued."""
    return audit_event(
        action,
        now,
        actor=f"client:{grant.client_id}",
        subject=f"grant:{grant.id}",
        jti=jti,
        user=grant.user_id,
        kind=grant.kind.value,
        scope=as_text(grant.allowance.scopes),
    )


def consent_event(code: AuthorizationCode, *, asked: bool) -> AuditEvent:
    """Return the entry of a code that was given; `asked` tells whether the user saw the question."""
    return audit_event(
        AuditAction.CONSENT_GIVEN,
        code.created_at,
        actor=f"user:{code.user_id}",
        subject=f"grant:{code.grant_id}",
        client_id=code.client_id,
        scope=as_text(code.allowance.scopes),
        asked="yes" if asked else "no",
    )
