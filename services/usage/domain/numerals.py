"""Numbers in the user's language, without units."""

from __future__ import annotations

from typing import Final

# Between the digits and before the unit of Russian numbers: a line must not break there.
NO_BREAK: Final = "\u00a0"


def number_in(language: str, english: str) -> str:
    """Return a number that is written as in English (1,234.5) as the language writes it: 1 234,5."""
    return english if language == "en" else english.replace(",", NO_BREAK).replace(".", ",")


def whole_number(value: int, language: str) -> str:
    """Return a whole number with its thousands apart: 1 234 or 1,234."""
    return number_in(language, f"{value:,}")
