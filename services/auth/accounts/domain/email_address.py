"""E-mail addresses: which can be one, and what they are compared by."""

from __future__ import annotations

import re
from typing import Final

from servicekit.errors import invalid_parameter

MAX_EMAIL_LENGTH: Final = 254  # RFC 5321 4.5.3.1.3, less the angle brackets
# Whether mail arrives is found out by sending some; this keeps out what can't be an address at all.
EMAIL: Final = re.compile(r"[^@\s<>()\[\]\\,;:\"]{1,64}@[^@\s<>()\[\]\\,;:\"]{1,253}")


def check_email(given: str) -> str:
    """Return the address without surrounding blanks.

    Raises:
        InvalidRequest: it is no e-mail address.
    """
    email = given.strip()
    if len(email) > MAX_EMAIL_LENGTH or not email.isprintable() or not EMAIL.fullmatch(email):
        raise invalid_parameter("email", "This is not an e-mail address.")
    return email


def account_key(email: str) -> str:
    """Return what an address is counted and compared by."""
    return email.strip().lower()
