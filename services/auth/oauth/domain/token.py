"""Codes and tokens: random texts with a prefix that tells their kind, stored as SHA-256 only."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# 256 bits: far more than the 128 that RFC 6749 10.10 wants, and enough to need no slow hash.
RANDOM_BYTES: Final = 32
SHAPE: Final = re.compile(r"rz_[a-z]{2}_[A-Za-z0-9_-]{43}")


class SecretKind(StrEnum):
    """The kind of a random secret, by its prefix; secret scanners recognise it."""

    CODE = "rz_ac_"
    REFRESH_TOKEN = "rz_rt_"
    CLIENT_SECRET = "rz_cs_"
    DEVICE_CODE = "rz_dc_"
    PENDING = "rz_pa_"
    PUSHED = "rz_pu_"


def new_secret(kind: SecretKind) -> str:
    """Return a fresh random text."""
    return kind + secrets.token_urlsafe(RANDOM_BYTES)


def successor_of(refresh_token: str, salt: bytes) -> str:
    """Return the refresh token that follows this one: who has both it and the salt can tell, who lacks one cannot.

    Args:
        refresh_token: the token that is traded in.
        salt: 32 random bytes of this trade.
    """
    mac = hmac.digest(refresh_token.encode(), b"razvilka oauth refresh successor" + salt, hashlib.sha256)
    return SecretKind.REFRESH_TOKEN + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def new_salt() -> bytes:
    """Return the salt of one trade."""
    return secrets.token_bytes(RANDOM_BYTES)


def is_a(kind: SecretKind, text: str) -> bool:
    """Tell whether the text has the form of such a secret; anything else need not be looked up."""
    return text.startswith(kind) and SHAPE.fullmatch(text) is not None


def digest(secret: str) -> bytes:
    """Return what a secret is stored as; with 256 random bits it needs no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Token:
    """The answer of the token endpoint."""

    access_token: str
    expires_in_s: int
    scope: str
    refresh_token: str = ""
    id_token: str = ""
    issued_token_type: str = ""
    token_type: str = "Bearer"

    def __repr__(self) -> str:
        return f"Token(scope={self.scope!r})"
