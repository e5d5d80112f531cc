"""A revoked credential, as the gateways are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.auth.shared.domain.audit import SYSTEM, AuditAction, AuditEvent


class RevokedKind(StrEnum):
    """The kind of the revoked thing."""

    KEY = "key"
    TOKEN = "token"  # one access token, by its jti
    GRANT = "grant"
    SESSION = "session"
    USER = "user"
    CLIENT = "client"
    # Not ended: disabled or enabled by an administrator. `<kind>:<id>`; to be asked about again.
    CHANGED = "changed"


# What makes others, and how the audit log names its end.
ENDED_AS: Final = {
    RevokedKind.KEY: AuditAction.KEY_REVOKED,
    RevokedKind.GRANT: AuditAction.GRANT_REVOKED,
    RevokedKind.CLIENT: AuditAction.CLIENT_DELETED,
}
MAKERS: Final = frozenset(ENDED_AS)


def ended_with_maker(kind: RevokedKind, subject: str, maker: str, at: datetime) -> AuditEvent:
    """Return the entry of something that ended because `maker`, which made it or what made it, did."""
    return AuditEvent(at, SYSTEM, ENDED_AS[kind], subject, {"reason": "maker_ended", "maker": maker})


@dataclass(frozen=True, slots=True)
class Revocation:
    """What was revoked and when, and until when somebody may still accept it. `number` is the row's.

    A kind that only a later release knows is a text: its gateways know it, whoever tells them.
    """

    number: int
    kind: RevokedKind | str
    subject_id: str
    at: datetime
    until: datetime
