"""Addresses of users: what can log in moves, what cannot leaves the account alive under one that receives nothing."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from migrate.rules.identifiers import mapped
from migrate.rules.verdict import Kept, Repaired, Stored, Text, Verdict, utf8

MIN_LENGTH: Final = 3
MAX_LENGTH: Final = 254
# RFC 2606: no mail is ever delivered there.
NOWHERE: Final = "moved.invalid"
_ADDRESS: Final = re.compile(r"[^\s@\x00-\x1f\x7f]+@[^\s@\x00-\x1f\x7f]+")


def read_email(value: Stored, user_id: str) -> Verdict[str]:
    """Return the address of an account."""
    text = utf8(value) if isinstance(value, Text) else None
    if text is None:
        return Repaired(placeholder(user_id), "no_address")
    trimmed = text.strip()
    if not (MIN_LENGTH <= len(trimmed) <= MAX_LENGTH and _ADDRESS.fullmatch(trimmed)):
        return Repaired(placeholder(user_id), "no_address")
    return Kept(trimmed) if trimmed == text else Repaired(trimmed, "blanks_trimmed")


def placeholder(user_id: str) -> str:
    """Return an address that receives no mail and is like no other's; a reset by an administrator replaces it."""
    return f"user-{mapped('address', user_id.encode())}@{NOWHERE}"


def compared(address: str) -> str:
    """Return what two addresses share that people take for one: case, blanks and Unicode form do not count."""
    return unicodedata.normalize("NFKC", address).strip().casefold()
