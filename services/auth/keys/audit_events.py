"""Audit log entries about keys."""

from __future__ import annotations

from datetime import datetime

from services.auth.shared.audit_events import event_of_call
from services.auth.shared.domain.audit import AuditAction, AuditEvent


def key_event(action: AuditAction, user_id: str, key_id: str, at: datetime, **details: str) -> AuditEvent:
    """Return an entry; details never hold a secret."""
    return event_of_call(at, f"user:{user_id}", action, f"key:{key_id}", **details)
