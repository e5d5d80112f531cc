"""Encrypts stored secrets that must be read again, such as those of second factors, with AES-256-GCM.

A sealed value is version (1), the key's fingerprint (4 bytes), nonce (12), ciphertext and tag. What it belongs to is
bound to it: copied into another row it cannot be opened.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION: Final = b"\x01"
NONCE: Final = 12
HEAD: Final = 1 + 4


class CannotOpen(Exception):
    """The value was sealed under a key that we do not have, for another owner, or was changed."""


class Sealer:
    """Seals with the first secret, opens with any of them.

    Args:
        given: the secrets.
        purpose: another purpose, another key, even where the same secret is configured for both.
    """

    def __init__(self, given: Sequence[str], purpose: bytes) -> None:
        keys = [HKDF(SHA256(), 32, salt=None, info=purpose).derive(secret.encode()) for secret in given]
        self._keys = {hashlib.sha256(key).digest()[:4]: AESGCM(key) for key in reversed(keys)}
        self._current = hashlib.sha256(keys[0]).digest()[:4]

    def seal(self, plain: bytes, owner: str) -> bytes:
        """Return the sealed value."""
        nonce = secrets.token_bytes(NONCE)
        return VERSION + self._current + nonce + self._keys[self._current].encrypt(nonce, plain, owner.encode())

    def open(self, sealed: bytes, owner: str) -> bytes:
        """Return what was sealed for this owner.

        Raises:
            CannotOpen: not ours, not for this owner, or changed.
        """
        key = self._keys.get(sealed[1:HEAD])
        if sealed[:1] != VERSION or key is None or len(sealed) < HEAD + NONCE:
            raise CannotOpen
        try:
            return key.decrypt(sealed[HEAD : HEAD + NONCE], sealed[HEAD + NONCE :], owner.encode())
        except InvalidTag as exc:
            raise CannotOpen from exc
