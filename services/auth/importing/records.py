"""An account and a key as the source of an import has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.auth.shared.domain.tier import Tier


@dataclass(frozen=True, slots=True)
class ImportedAccount:
    """An account without a password: its owner gets one by the reset mail.

    Attributes:
        source_row: what names the row in its source.
    """

    id: str
    email: str
    tier: Tier
    created_at: datetime
    updated_at: datetime
    source_row: str


@dataclass(frozen=True, slots=True)
class ImportedKey:
    """A key known by the SHA-256 of its secret, in 64 lower-case hex digits."""

    id: str
    user_id: str
    key_hash: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    source_row: str


@dataclass(frozen=True, slots=True)
class KeptKey:
    """The hash that auth compares for an imported key: `sha256` until the key is first used here."""

    user_id: str
    key_hash: str
    hash_kind: str
    expires_at: datetime | None


class Arrival(StrEnum):
    """The outcome of importing a record."""

    INSERTED = "inserted"
    THERE_BEFORE = "there_before"
    """An earlier run brought it."""
    ID_TAKEN = "id_taken"
    ADDRESS_TAKEN = "address_taken"
    """By an account of 1.1; PostgreSQL compares addresses otherwise than people and Python do."""
    HASH_TAKEN = "hash_taken"
    NO_OWNER = "no_owner"
