"""API keys: `rz_live_` + 43 base62 characters (256 bits) + 6 base62 characters of CRC32.

The layout is GitHub's: a double click selects a key, a secret scanner finds it with one expression, and the
checksum refuses a mistyped key before the database is asked. The tier belongs to the account, not to the key.
"""

from __future__ import annotations

import re
import secrets
import zlib
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final

from services.auth.shared.domain.budget import KeyBudget
from services.auth.shared.domain.delegation import Powers
from services.auth.shared.domain.scope import Scope

PREFIX: Final = "rz_live_"
BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BODY_LENGTH: Final = 43  # 62**43 > 2**256
CHECKSUM_LENGTH: Final = 6  # 62**6 > 2**32
SHAPE: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{BODY_LENGTH + CHECKSUM_LENGTH}}}")
# Longer than any key of release 1.0; what is longer is refused before it is hashed.
MAX_SECRET_LENGTH: Final = 512
SHOWN_PREFIX_LENGTH: Final = len(PREFIX) + 4
SHOWN_SUFFIX_LENGTH: Final = 4
# Showing 8 characters must leave a 1.0 key, whose alphabet we don't know, with enough that stays hidden.
MIN_LEGACY_LENGTH_TO_SHOW: Final = 24


class SecretForm(Enum):
    """What a presented string can be, judged by its form alone."""

    KEY = auto()
    """A well-formed key with the right checksum."""
    MISTYPED = auto()
    """The shape of a key with the wrong checksum, or nothing a client could have been given."""
    MAYBE_LEGACY = auto()
    """Something else: perhaps a key of release 1.0."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its owner sees it, without the secret.

    `models` and `ip_allow_list` restrict when they are not empty. `lineage_id` is the first key of the line of
    rotations that led here, the key itself when there was none: its budget is counted under this id, so that rotating
    a key does not renew what is spent. It ends when one of its `makers` does. `is_disabled`: an administrator switched
    it off, or what made it, and may switch it on again. `cache_ttl_s`: for how long answers to it are cached where a
    request does not say, in seconds; 0: as long as the gateway has it, None: not at all.
    """

    id: str
    lineage_id: str
    user_id: str
    name: str
    prefix: str
    last_four: str
    scopes: frozenset[Scope]
    models: tuple[str, ...]
    ip_allow_list: tuple[str, ...]
    budget: KeyBudget | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    makers: tuple[str, ...] = ()
    is_disabled: bool = False
    cache_ttl_s: int | None = None

    @property
    def powers(self) -> Powers:
        """Return what it may do."""
        return Powers(self.scopes, self.models, self.ip_allow_list, self.expires_at)

    def is_revoked(self) -> bool:
        """Tell whether the owner ended the key."""
        return self.revoked_at is not None

    def is_expired(self, now: datetime) -> bool:
        """Tell whether the key's time is over."""
        return self.expires_at is not None and now >= self.expires_at


def generate() -> str:
    """Return a new secret."""
    body = "".join(secrets.choice(BASE62) for _ in range(BODY_LENGTH))
    return PREFIX + body + checksum(body)


def checksum(body: str) -> str:
    """Return the CRC32 of a key's random part as 6 base62 digits, most significant first."""
    rest = zlib.crc32(body.encode())
    digits = []
    for _ in range(CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(BASE62))
        digits.append(BASE62[digit])
    return "".join(reversed(digits))


def form_of(secret: str) -> SecretForm:
    """Tell what a presented string can be."""
    if SHAPE.fullmatch(secret):
        body, given = secret[len(PREFIX) : -CHECKSUM_LENGTH], secret[-CHECKSUM_LENGTH:]
        return SecretForm.KEY if checksum(body) == given else SecretForm.MISTYPED
    if not 0 < len(secret) <= MAX_SECRET_LENGTH or not secret.isprintable():
        return SecretForm.MISTYPED
    return SecretForm.MAYBE_LEGACY


def shown_parts(secret: str) -> tuple[str, str]:
    """Return the beginning and the end of a secret that lists may show; empty for a short key of release 1.0."""
    if SHAPE.fullmatch(secret):
        return secret[:SHOWN_PREFIX_LENGTH], secret[-SHOWN_SUFFIX_LENGTH:]
    if len(secret) < MIN_LEGACY_LENGTH_TO_SHOW:
        return "", ""
    return secret[:4], secret[-SHOWN_SUFFIX_LENGTH:]
