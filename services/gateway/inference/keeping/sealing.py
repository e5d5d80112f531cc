"""How kept answers look at rest: encrypted by a key that only their owner can make (AES-GCM)."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12
_NAME_DIGITS: Final = 40


def digest(*parts: str | bytes) -> bytes:
    """Return 32 bytes that stand for the parts; no other parts have the same."""
    found = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        found.update(len(raw).to_bytes(8, "big"))
        found.update(raw)
    return found.digest()


def name_of(*parts: str | bytes) -> str:
    """Return a name that says nothing of the parts."""
    return digest("name", *parts).hex()[:_NAME_DIGITS]


@dataclass(frozen=True, slots=True)
class Seal:
    """Encrypts what lies under one name; `key` has 32 bytes."""

    name: str
    key: bytes

    def close(self, plain: bytes) -> bytes:
        """Return the bytes encrypted."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self.key).encrypt(nonce, plain, self.name.encode())

    def open(self, sealed: bytes) -> bytes | None:
        """Return what was encrypted, or None: not by this key, or not under this name."""
        try:
            return AESGCM(self.key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self.name.encode())
        except InvalidTag:
            return None
