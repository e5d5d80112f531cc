"""Texts of the pages in Russian and English, and which of the two a visitor reads."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

LANGUAGES: Final = ("ru", "en")
DEFAULT: Final = "ru"
FOLDER: Final = Path(__file__).parent / "locale"


def load(language: str) -> Mapping[str, str]:
    """Return the texts of a language by their dotted names."""
    files = sorted((FOLDER / language).glob("*.toml"))
    return MappingProxyType(dict(text for file in files for text in _flat(tomllib.loads(file.read_text("utf-8")), "")))


def _flat(table: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in table.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, str(value))]
    return found


TEXTS: Final[Mapping[str, Mapping[str, str]]] = {language: load(language) for language in LANGUAGES}


def choose(*wishes: str) -> str:
    """Return the language of the first wish that names one of ours.

    Args:
        wishes: each a language tag, a list of tags with blanks (`ui_locales`), or an Accept-Language header.
    """
    for wish in wishes:
        language = _spoken(wish)
        if language:
            return language
    return DEFAULT


def _spoken(wish: str) -> str:
    ranked = []
    for at, part in enumerate(wish.replace(" ", ",").split(",")):
        tag, _, weight = part.strip().partition(";")
        primary = tag.strip().lower().partition("-")[0]
        if primary in LANGUAGES:
            ranked.append((-_quality(weight), at, primary))
    ranked.sort()
    return ranked[0][2] if ranked and ranked[0][0] < 0 else ""


def _quality(weight: str) -> float:
    name, _, value = weight.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
