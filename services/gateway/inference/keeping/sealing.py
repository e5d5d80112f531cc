"""How kept answers look at rest: encrypted by a key that only their owner can make (AES-GCM)."""

from __future__ import annotations

import asyncio
import hashlib
import os
import zlib
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.gateway.edge.reading.heavy_step import heavy_step

_NONCE_BYTES: Final = 12
# What a gateway of another version kept may be packed or formed otherwise: to this one it is as if it were not there.
UNREADABLE: Final = (msgspec.DecodeError, zlib.error)
# What hashing and packing take no time for.
_SMALL: Final = 64 * 1024
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


async def digest_of(body: bytes) -> bytes:
    """Return the digest of a body, which may be large."""
    hashed = partial(digest, body)
    return hashed() if len(body) <= _SMALL else await heavy_step(hashed)


async def shrunk(plain: bytes) -> bytes:
    """Return bytes compressed."""
    shrink = partial(zlib.compress, plain, 1)
    return shrink() if len(plain) <= _SMALL else await asyncio.to_thread(shrink)


async def grown(packed: bytes) -> bytes:
    """Return what was compressed."""
    grow = partial(zlib.decompress, packed)
    return grow() if len(packed) <= _SMALL else await asyncio.to_thread(grow)


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
