"""The list of passwords that are tried first: English, Russian, and Russian typed on a Latin keyboard or vice versa."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def common_passwords() -> frozenset[str]:
    """Return them in lower case; shorter ones than a password may be are not in the list."""
    text = (files(__package__) / "common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))
