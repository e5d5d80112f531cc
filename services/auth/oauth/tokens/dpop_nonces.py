"""Nonces for DPoP proofs (RFC 9449 8), which all replicas can verify and nobody can predict."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from servicekit.clock import Clock

LIFE_S: Final = 300
PURPOSE: Final = b"razvilka dpop nonces, HMAC-SHA256"


class NonceSource:
    """Derives nonces: a new one every five minutes; the previous and the next one are accepted, too."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self._key = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(secret.encode())
        self._clock = clock

    def current(self) -> str:
        """Return the nonce to hand out now."""
        return self._nonce(0)

    def accepted(self) -> list[str]:
        """Return the nonces that count now: the one before, the current one, the next."""
        return [self._nonce(offset) for offset in (-1, 0, 1)]

    def _nonce(self, offset: int) -> str:
        window = int(self._clock.now().timestamp()) // LIFE_S + offset
        mac = hmac.digest(self._key, str(window).encode(), hashlib.sha256)[:18]
        return base64.urlsafe_b64encode(mac).decode()
