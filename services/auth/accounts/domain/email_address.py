"""Accounts: an id and an e-mail address that nobody else has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from servicekit.errors import ErrorReason, InvalidRequest
from services.auth.shared.domain.tier import Tier

MAX_EMAIL_LENGTH: Final = 254  # RFC 5321 4.5.3.1.3, less the angle brackets
# Whether mail arrives is found out by sending some; this keeps out what can't be an address at all.
EMAIL: Final = re.compile(r"[^@\s<>()\[\]\\,;:\"]{1,64}@[^@\s<>()\[\]\\,;:\"]{1,253}")


@dataclass(frozen=True, slots=True)
class User:
    """An account."""

    id: str
    email: str
    tier: Tier
    created_at: datetime


def check_email(given: str) -> str:
    """Return the address without surrounding blanks.

    Raises:
        InvalidRequest: it is no e-mail address.
    """
    email = given.strip()
    if len(email) > MAX_EMAIL_LENGTH or not email.isprintable() or not EMAIL.fullmatch(email):
        raise InvalidRequest(ErrorReason.INVALID_PARAMETERS, "This is not an e-mail address.", param="email")
    return email
