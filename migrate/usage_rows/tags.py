"""The operator's own columns as tags of a row; docs/data-model.md says what a tag may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from migrate.fates.fate import Repair
from migrate.rules.verdict import Stored, Text, utf8

MAX_TAGS: Final = 16
MAX_TAG_NAME: Final = 64
MAX_TAG: Final = 512


def tags_of(extra: Mapping[str, Stored]) -> tuple[dict[str, str], list[Repair]]:
    """Return the operator's own columns as tags, and those that cannot be: their values stay in the report."""
    tags: dict[str, str] = {}
    left: list[Repair] = []
    for name, value in extra.items():
        text = utf8(value) if isinstance(value, Text) else str(value) if isinstance(value, int | float) else None
        fits = text is not None and len(text) <= MAX_TAG and "\0" not in text and len(name) <= MAX_TAG_NAME
        if value is None:
            continue
        if fits and text is not None and len(tags) < MAX_TAGS:
            tags[name] = text
        else:
            left.append(Repair(name, value, None, "column_left_in_report"))
    return tags, left
