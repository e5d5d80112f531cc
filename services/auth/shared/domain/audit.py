"""The audit log: rows that are only ever added, each sealed with the hash of the one before.

PostgreSQL computes the hash when a row is inserted (migration 0001), one writer at a time; `entry_hash` is the same
rule in Python, for checking. A changed, removed or inserted row breaks the chain at that place. Cutting off the newest
rows does not, so the head (number and hash) is also logged from time to time, out of the database's reach.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

GENESIS: Final = bytes(32)
# The actor of what no account asked for.
SYSTEM: Final = "system"


class AuditAction(StrEnum):
    """The audited actions."""

    USER_CREATED = "user.created"
    KEY_CREATED = "key.created"
    KEY_CHANGED = "key.changed"
    KEY_REHASHED = "key.rehashed"
    KEY_REVOKED = "key.revoked"
    KEY_ROTATED = "key.rotated"
    MODELS_NAMED = "models.named"
    USER_LOGGED_IN = "user.logged_in"
    USER_LOGGED_OUT = "user.logged_out"
    USER_DELETED = "user.deleted"
    USER_SEEDED = "user.seeded"
    USER_DISABLED = "user.disabled"
    USER_ENABLED = "user.enabled"
    TIER_CHANGED = "user.tier_changed"
    KEY_DISABLED = "key.disabled"
    KEY_ENABLED = "key.enabled"
    CLIENT_DISABLED = "client.disabled"
    CLIENT_ENABLED = "client.enabled"
    GRANT_DISABLED = "grant.disabled"
    GRANT_ENABLED = "grant.enabled"
    EMAIL_CHANGE_ASKED = "user.email_change_asked"
    EMAIL_CHANGED = "user.email_changed"
    PASSWORD_CHANGED = "password.changed"
    PASSWORD_RESET = "password.reset"
    TOTP_BEGUN = "totp.begun"
    TOTP_ENABLED = "totp.enabled"
    TOTP_DISABLED = "totp.disabled"
    PROFILE_CHANGED = "profile.changed"
    ACCOUNT_EXPORTED = "account.exported"
    IDENTITY_LINKED = "identity.linked"
    SESSION_REVOKED = "session.revoked"
    CLIENT_REGISTERED = "client.registered"
    CLIENT_CHANGED = "client.changed"
    CLIENT_SECRET_ROTATED = "client.secret_rotated"
    CLIENT_DELETED = "client.deleted"
    CONSENT_GIVEN = "consent.given"
    CONSENT_DENIED = "consent.denied"
    TOKEN_ISSUED = "token.issued"
    TOKEN_REFRESHED = "token.refreshed"
    TOKEN_EXCHANGED = "token.exchanged"
    TOKEN_REVOKED = "token.revoked"
    CODE_REPLAYED = "code.replayed"
    REFRESH_REUSED = "refresh.reused"
    GRANT_REVOKED = "grant.revoked"
    # What an administrator ordered of another service; whether it could be done, that service's answer said.
    PROVIDER_DRAIN = "provider.drain"
    PROVIDER_UNDRAIN = "provider.undrain"
    CIRCUIT_RESET = "circuit.reset"
    OVERRIDE_SET = "catalog.override_set"
    OVERRIDE_REMOVED = "catalog.override_removed"
    PRICE_ADDED = "catalog.price_added"
    CHANNEL_MOVED = "catalog.channel_moved"
    BUDGET_SET = "budget.set"
    BUDGET_CHANGED = "budget.changed"
    BUDGET_REMOVED = "budget.removed"
    ORGANIZATION_CREATED = "organization.created"
    ORGANIZATION_REMOVED = "organization.removed"
    MEMBER_ADDED = "organization.member_added"
    MEMBER_REMOVED = "organization.member_removed"
    SIGNING_KEY_CREATED = "signing_key.created"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """An audit event: who did what to whom. Never a secret.

    Args:
        at: when.
        actor: `user:<id>` or `system`.
        action: what.
        subject: `user:<id>`, `key:<id>` and so on.
        details: further facts, such as the request id.
    """

    at: datetime
    actor: str
    action: AuditAction
    subject: str
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A stored event at its place in the chain; `details` is the JSON text exactly as stored."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: str
    previous_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last verified row."""

    seq: int = 0
    hash: bytes = GENESIS


def entry_hash(row: AuditRow) -> bytes:
    """Return the hash that belongs to the row's content and its predecessor.

    Each part is preceded by its length in bytes, so that no two different rows give the same text.
    """
    at = row.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    parts = (row.previous_hash.hex(), str(row.seq), at, row.actor, row.action, row.subject, row.details)
    text = "".join(f"{len(part.encode())}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).digest()


def follow_chain(head: ChainHead, rows: Iterable[AuditRow]) -> tuple[ChainHead, int | None]:
    """Walk from `head` over the rows after it; return the last good one and the number of the first bad one."""
    for row in rows:
        follows = row.seq == head.seq + 1 and row.previous_hash == head.hash
        if not follows or entry_hash(row) != row.hash:
            return head, head.seq + 1
        head = ChainHead(row.seq, row.hash)
    return head, None
