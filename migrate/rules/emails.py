"""Addresses of users: what can log in moves, what cannot leaves the account alive under one that receives nothing."""

from __future__ import annotations

import unicodedata
from typing import Final

from migrate.rules.identifiers import mapped
from migrate.rules.verdict import Kept, Repaired, Stored, Text, Verdict, utf8
from servicekit.errors import InvalidRequest
from services.auth.accounts.domain.email_address import check_email

# RFC 2606: no mail is ever delivered there.
NOWHERE: Final = "moved.invalid"


def read_email(value: Stored, user_id: str) -> Verdict[str]:
    """Return the address of an account; one that auth takes for none could neither log in nor be asked to."""
    text = utf8(value) if isinstance(value, Text) else None
    if text is None:
        return Repaired(placeholder(user_id), "no_address")
    try:
        trimmed = check_email(text)
    except InvalidRequest:
        return Repaired(placeholder(user_id), "no_address")
    return Kept(trimmed) if trimmed == text else Repaired(trimmed, "blanks_trimmed")


def placeholder(user_id: str) -> str:
    """Return an address that receives no mail and is like no other's; a reset by an administrator replaces it."""
    return f"user-{mapped('address', user_id.encode())}@{NOWHERE}"


def compared(address: str) -> str:
    """Return what two addresses share that people take for one: case, blanks and Unicode form do not count."""
    return unicodedata.normalize("NFKC", address).strip().casefold()
