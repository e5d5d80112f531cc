"""Signatures of webhooks by the Standard Webhooks specification: HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from services.usage.notifications.domain.channel import SECRET_PREFIX, WebhookSecret


def signed_headers(message_id: str, now: datetime, body: bytes, held: Sequence[WebhookSecret]) -> dict[str, str]:
    """Return the three headers; during a rotation there is a signature for each secret."""
    timestamp = str(int(now.timestamp()))
    content = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{_signature(secret, content)}" for secret in held),
    }


def _signature(secret: WebhookSecret, content: bytes) -> str:
    key = base64.b64decode(secret.value.removeprefix(SECRET_PREFIX))
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
