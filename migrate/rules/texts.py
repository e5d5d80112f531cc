"""Names, models and providers: exact where they can be stored, visibly repaired where not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from migrate.rules.verdict import Kept, Refused, Repaired, Stored, Text, Verdict, utf8

MAX_TEXT: Final = 256
# Each answer about a key, and each list of a hundred, carries the name.
MAX_NAME: Final = 1_000
REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
NO_PROVIDER: Final = "gigachat"  # the first installations of 1.0 had no column for it, and no other provider


def read_name(value: Stored) -> Verdict[str]:
    """Return the name of a key: any text that is not endless; PostgreSQL takes all but NUL."""
    match value:
        case None:
            return Repaired("", "no_name")
        case Text() | bytes():
            text = value.decode(errors="replace").replace("\0", REPLACEMENT)
            if len(text) > MAX_NAME:
                return Repaired(text[:MAX_NAME], "name_cut")
            is_exact = isinstance(value, Text) and text.encode() == value
            return Kept(text) if is_exact else Repaired(text, "unreadable_characters_replaced")
        case _:
            return Repaired(repr(value), "number_as_text")


def read_provider(value: Stored, known: Mapping[str, str]) -> Verdict[str]:
    """Return 1.1's name of a provider; `known` maps names in lower case. An unknown one moves as it is."""
    if value is None or value == b"":
        return Repaired(NO_PROVIDER, "provider_was_always_gigachat")
    return _known(value, known, "provider")


def read_model(value: Stored, known: Mapping[str, str]) -> Verdict[str]:
    """Return 1.1's name of a model; `known` maps 1.0's names and aliases in lower case.

    It is no repair: the row keeps the name that it had beside it.
    """
    if value is None or value == b"":
        return Refused("model_missing")
    found = _known(value, known, "model")
    return found if isinstance(found, Refused) else Kept(found.value)


def _known(value: Stored, known: Mapping[str, str], noun: str) -> Verdict[str]:
    text = utf8(value) if isinstance(value, Text) else None
    if text is None or "\0" in text:
        return Refused(f"{noun}_unreadable")
    if len(text) > MAX_TEXT:
        return Refused(f"{noun}_too_long")
    found = known.get(text.strip().lower())
    if found is None or found == text:
        return Kept(text)
    return Repaired(found, f"{noun}_name_of_1_1")
