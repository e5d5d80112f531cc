"""Encryption of contents at rest (AES-GCM), with a separate key for each file and batch."""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import Callable
from typing import Any, Final, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from servicekit.errors import ErrorReason, NotFound

_NONCE_BYTES: Final = 12
# So many take no time: a thread would take more.
_SMALL: Final = 64 * 1024
T = TypeVar("T")


class Sealing:
    """Encrypts and decrypts under one secret of 32 bytes, which all replicas share."""

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


async def worked(size: int, work: Callable[..., T], *given: Any) -> T:
    """Do work over so many bytes, beside the event loop if they are many."""
    return work(*given) if size <= _SMALL else await asyncio.to_thread(work, *given)


async def sealed_up(sealing: Sealing, of: str, place: int, plain: bytes) -> bytes:
    """Return bytes of any size sealed."""
    return await worked(len(plain), sealing.seal, of, place, plain)


async def opened(sealing: Sealing, of: str, place: int, sealed: bytes) -> bytes:
    """Return what was sealed, of any size.

    Raises:
        NotFound: as `Sealing.open`.
    """
    return await worked(len(sealed), sealing.open, of, place, sealed)


def line_name(batch_id: str, number: int) -> str:
    """Return under what the parts of a long answer are sealed."""
    return f"{batch_id}/{number}"
