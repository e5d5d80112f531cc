"""How keys are stored: HMAC-SHA256 under a pepper that the database never sees.

A key has 256 bits, so no slow hash is needed; the pepper makes a stolen table useless even for checking a guess.
Peppers rotate: new keys use the current one, keys under an earlier one still verify and move over at first use.
Release 1.0 stored the plain SHA-256; such keys move over in the same way.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# What the stored hash is compared with when there is none: unknown keys cost the same comparison.
NO_HASH: Final = "0" * 64


class HashKind(StrEnum):
    """The algorithm of a stored hash."""

    SHA256 = "sha256"  # release 1.0
    HMAC_SHA256 = "hmac-sha256"


@dataclass(frozen=True, slots=True)
class KeyHash:
    """A stored hash (64 hexadecimal digits) and what it was made with."""

    digest: str
    kind: HashKind
    pepper_id: str


@dataclass(frozen=True, slots=True)
class Pepper:
    """A secret of the HMAC, and the name by which rows refer to it."""

    secret: bytes
    id: str

    @classmethod
    def of(cls, secret: str) -> Pepper:
        """Name a pepper by its own fingerprint: there is no version number that an operator could mix up."""
        raw = secret.encode()
        return cls(raw, hmac.digest(raw, b"razvilka api key pepper id", "sha256")[:6].hex())

    def __repr__(self) -> str:
        return f"Pepper(id={self.id})"


class KeyHasher:
    """Hashes secrets with the current pepper, and recognises hashes of earlier peppers and algorithms."""

    def __init__(self, current: Pepper, previous: tuple[Pepper, ...] = ()) -> None:
        self._current = current
        self._previous = previous

    @property
    def pepper_ids(self) -> list[str]:
        """Return the ids of all known peppers, the current one first."""
        return [pepper.id for pepper in (self._current, *self._previous)]

    def hash(self, secret: str) -> KeyHash:
        """Return what a new key is stored as."""
        return _hmac_hash(self._current, _bytes_of(secret))

    def candidates(self, secret: str) -> list[KeyHash]:
        """Return every hash under which this secret may be stored, the current recipe first."""
        raw = _bytes_of(secret)
        peppered = [_hmac_hash(pepper, raw) for pepper in (self._current, *self._previous)]
        return [*peppered, KeyHash(hashlib.sha256(raw).hexdigest(), HashKind.SHA256, "")]


def matches(stored_digest: str | None, candidates: list[KeyHash]) -> bool:
    """Tell in constant time whether a stored digest is one of the candidates."""
    found = False
    for candidate in candidates:
        found |= hmac.compare_digest(stored_digest or NO_HASH, candidate.digest)
    return found and stored_digest is not None


def _hmac_hash(pepper: Pepper, raw: bytes) -> KeyHash:
    return KeyHash(hmac.digest(pepper.secret, raw, "sha256").hex(), HashKind.HMAC_SHA256, pepper.id)


def _bytes_of(secret: str) -> bytes:
    # A lone surrogate can't come over gRPC, but hashing must not fail on any str.
    return secret.encode("utf-8", "surrogatepass")
