"""Private keys at rest: AES-256-GCM under a key derived from a secret that the database never sees."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES: Final = 12
# Separates this use of the secret from any other: the pepper's HMAC can never meet this key.
PURPOSE: Final = b"razvilka oauth signing keys, AES-256-GCM"


class KeySealer:
    """Encrypts with the first secret; decrypts with any of them."""

    def __init__(self, given: Sequence[str]) -> None:
        self._ciphers = [AESGCM(_derive(secret)) for secret in given]

    def seal(self, kid: str, private: bytes) -> bytes:
        """Return the key encrypted. Its kid is bound to it: rows cannot be swapped."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, private, kid.encode())

    def open(self, kid: str, sealed: bytes) -> bytes | None:
        """Return the key; None when none of the secrets fits."""
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], kid.encode())
            except InvalidTag:
                continue
        return None


def _derive(secret: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(secret.encode())
