"""Audit log entries for the call being served."""

from __future__ import annotations

from datetime import datetime

from servicekit.call import current_call
from services.auth.shared.domain.audit import AuditAction, AuditEvent


def event_of_call(at: datetime, actor: str, action: AuditAction, subject: str, **details: str) -> AuditEvent:
    """Return an entry that names the request it belongs to; details never hold a secret."""
    return AuditEvent(at, actor, action, subject, {"request_id": current_call().request_id, **details})
