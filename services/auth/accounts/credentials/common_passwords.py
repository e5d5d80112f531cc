"""The passwords that everybody tries first: a list of ours, English, Russian, and one typed in the other's layout."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def common_passwords() -> frozenset[str]:
    """Return them in lower case; shorter ones than a password may be are not in the list."""
    text = (files(__package__) / "common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))
