"""Carries a form's secret to the next step of a login without keeping it: sealed under the browser's own cookie."""

from __future__ import annotations

import base64
import json
import secrets
from datetime import datetime
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LIFE_S: Final = 300
_NONCE: Final = 12


def seal(browser: str, purpose: bytes, values: list[str], now: datetime) -> str:
    """Return the values as text that only a page with this browser's cookie can give back, for five minutes.

    Args:
        purpose: what they are; what was sealed as one thing does not open as another.
    """
    nonce = secrets.token_bytes(_NONCE)
    plain = json.dumps([int(now.timestamp()), *values]).encode()
    return base64.urlsafe_b64encode(nonce + _cipher(browser).encrypt(nonce, plain, purpose)).decode()


def unseal(browser: str, purpose: bytes, sealed: str, now: datetime) -> list[str] | None:
    """Return the values; None when it is another browser's, another thing, tampered with, or too old."""
    try:
        raw = base64.urlsafe_b64decode(sealed.encode("ascii"))
        sealed_at, *values = json.loads(_cipher(browser).decrypt(raw[:_NONCE], raw[_NONCE:], purpose))
    except (ValueError, InvalidTag):
        return None
    return values if 0 <= now.timestamp() - sealed_at + 1 <= LIFE_S else None


def _cipher(browser: str) -> AESGCM:
    return AESGCM(sha256(b"razvilka sealed " + browser.encode()).digest())
