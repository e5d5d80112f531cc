"""The words of the description that no route or field says itself: `words.toml` beside this file.

What is said at a field counts before its entry here; an entry `Body.field` before one of `field`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from services.gateway.reference.operations import Whole, operations_of

WORDS: Final = "words.toml"


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))


_WORDS: Final = _read(WORDS)
TAGS: Final[dict[str, str]] = _WORDS["tags"]
SCOPES: Final[dict[str, str]] = _WORDS["scopes"]
ERRORS: Final[dict[str, str]] = _WORDS["errors"]
FIELDS: Final[dict[str, str]] = _WORDS["fields"]


def describe_tags(whole: Whole) -> None:
    """Say what each group of operations is about."""
    used = {tag for _, _, operation in operations_of(whole) for tag in operation["tags"]}
    whole["tags"] = [{"name": name, "description": said} for name, said in TAGS.items() if name in used]


def describe_fields(whole: Whole) -> None:
    """Give every field and every parameter without words those of the glossary."""
    for name, schema in whole["components"]["schemas"].items():
        schema.setdefault("description", FIELDS.get(name, ""))
        for field, given in (schema.get("properties") or {}).items():
            _describe(given, FIELDS.get(f"{name}.{field}") or FIELDS.get(field))
    for _, _, operation in operations_of(whole):
        for parameter in operation.get("parameters", []):
            said = parameter["schema"].get("description") or FIELDS.get(parameter["name"])
            _describe(parameter, said)


def _describe(thing: dict[str, Any], said: str | None) -> None:
    # A generated title only repeats the name.
    if isinstance(thing.get("schema"), dict):
        thing["schema"].pop("title", None)
    thing.pop("title", None)
    # A struct's way of saying that it is left out, which nobody may send.
    if thing.get("default") == "" and thing.get("minLength"):
        del thing["default"]
    if said and not thing.get("description"):
        thing["description"] = said
