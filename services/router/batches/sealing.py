"""How contents look at rest: encrypted (AES-GCM) under a key of its own for each file and batch."""

from __future__ import annotations

import asyncio
import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from servicekit.errors import ErrorReason, NotFound

_NONCE_BYTES: Final = 12
# What sealing takes no time for.
_SMALL: Final = 64 * 1024


class Sealing:
    """Seals and opens under one secret of 32 bytes, which all replicas share."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def seal(self, of: str, place: int, plain: bytes) -> bytes:
        """Return bytes sealed; they open only under the same id and place."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher(of).encrypt(nonce, plain, str(place).encode())

    def open(self, of: str, place: int, sealed: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            NotFound: it was sealed under another secret, so nobody can read it any more.
        """
        try:
            return self._cipher(of).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], str(place).encode())
        except InvalidTag:
            raise NotFound(
                ErrorReason.NOT_FOUND, "The content was sealed under a key that is gone (ROUTER_TOOL_CALL_KEY)."
            ) from None

    def _cipher(self, of: str) -> AESGCM:
        return AESGCM(hmac.digest(self._secret, of.encode(), "sha256"))


async def sealed_up(sealing: Sealing, of: str, place: int, plain: bytes) -> bytes:
    """Return bytes of any size sealed."""
    if len(plain) <= _SMALL:
        return sealing.seal(of, place, plain)
    return await asyncio.to_thread(sealing.seal, of, place, plain)


async def opened(sealing: Sealing, of: str, place: int, sealed: bytes) -> bytes:
    """Return what was sealed, of any size.

    Raises:
        NotFound: as `Sealing.open`.
    """
    if len(sealed) <= _SMALL:
        return sealing.open(of, place, sealed)
    return await asyncio.to_thread(sealing.open, of, place, sealed)


def line_name(batch_id: str, number: int) -> str:
    """Return under what the parts of a long answer are sealed."""
    return f"{batch_id}/{number}"
