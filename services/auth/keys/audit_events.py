"""Entries of the audit log about keys, with the request they belong to."""

from __future__ import annotations

from datetime import datetime

from servicekit.call import current_call
from services.auth.shared.domain.audit import AuditAction, AuditEvent


def key_event(action: AuditAction, user_id: str, key_id: str, at: datetime, **details: str) -> AuditEvent:
    """Return an entry; details never hold a secret."""
    said = {**details, "request_id": current_call().request_id}
    return AuditEvent(at, f"user:{user_id}", action, f"key:{key_id}", said)
