"""The profile fields that people may set."""

from __future__ import annotations

from typing import Final

from servicekit.errors import invalid_parameter

LANGUAGES: Final = ("ru", "en")
DEFAULT_LANGUAGE: Final = "ru"
MAX_NAME: Final = 100


def check_name(given: str) -> str:
    """Return the name without surrounding blanks; it may be empty.

    Raises:
        InvalidRequest: too long, or not printable.
    """
    name = given.strip()
    if len(name) > MAX_NAME or not name.isprintable():
        raise invalid_parameter("name", f"The name must have at most {MAX_NAME} printable characters.")
    return name


def check_language(given: str) -> str:
    """Return the language.

    Raises:
        InvalidRequest: we do not speak it.
    """
    if given not in LANGUAGES:
        raise invalid_parameter("language", f"The language must be one of: {', '.join(LANGUAGES)}.")
    return given
