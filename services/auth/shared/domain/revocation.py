"""A credential that ended before its time, as the gateways are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RevokedKind(StrEnum):
    """What kind of thing ended."""

    KEY = "key"
    TOKEN = "token"  # one access token, by its jti
    GRANT = "grant"
    SESSION = "session"
    USER = "user"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Revocation:
    """What ended and when, and until when somebody might still believe in it. `number` names the row."""

    number: int
    kind: RevokedKind
    subject_id: str
    at: datetime
    until: datetime
