"""Titles in the languages of the pages: `titles.toml` beside this file; English ones are the description's own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# By kind, language and name.
AllTitles = Mapping[str, Mapping[str, Mapping[str, str]]]
FILE: Final = Path(__file__).parent / "titles.toml"


@dataclass(frozen=True, slots=True)
class Titles:
    """What things are called in one language. What it has no title for is called as the description says."""

    rooms: Mapping[str, str]
    about: Mapping[str, str]
    operations: Mapping[str, str]
    errors: Mapping[str, str]
    scopes: Mapping[str, str]


def read_titles() -> AllTitles:
    """Return all of them."""
    found: dict[str, Any] = tomllib.loads(FILE.read_text("utf-8"))
    return found


def titles_of(given: AllTitles, language: str) -> Titles:
    """Return those of a language."""
    kinds = ("rooms", "about", "operations", "errors", "scopes")
    return Titles(*[given.get(kind, {}).get(language, {}) for kind in kinds])
