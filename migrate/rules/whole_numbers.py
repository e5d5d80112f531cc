"""Tokens: a whole number that fits into the column."""

from __future__ import annotations

import re
from typing import Final

from migrate.rules.verdict import Kept, Refused, Repaired, Stored, Text, Verdict

# int() would take `1_000`, other scripts' digits and blanks too.
_DIGITS: Final = re.compile(rb"[0-9]{1,19}")
MAX_TOKENS: Final = 2**31 - 1


def read_tokens(value: Stored) -> Verdict[int]:
    """Return a number of tokens."""
    match value:
        case int():
            return _within(value, "")
        case float() if value.is_integer():
            return _within(int(value), "whole_number_as_real")
        case Text() if _DIGITS.fullmatch(value.strip(b" ")):
            return _within(int(value), "digits_in_text")
        case None:
            return Refused("tokens_missing")
        case _:
            return Refused("tokens_not_a_whole_number")


def _within(number: int, rule: str) -> Verdict[int]:
    if number < 0:
        return Refused("tokens_negative")
    if number > MAX_TOKENS:
        return Refused("tokens_too_many")
    return Repaired(number, rule) if rule else Kept(number)
