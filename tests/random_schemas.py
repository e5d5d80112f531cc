"""Random JSON Schemas as callers write them: references into `$defs`, unions, types, enums, notes, conditions."""

from __future__ import annotations

import random
from typing import Any, Final

_SCALARS: Final = ("string", "integer", "number", "boolean")
_WORDS: Final = ("имя", "city", "адрес доставки", 'line "x"', "a/b")
DEPTH: Final = 3


def rich_schema(rng: random.Random) -> dict[str, Any]:
    """Return the schema of an object, with up to four definitions each of which may refer to later ones."""
    definitions = [f"D{number}" for number in range(rng.randint(0, 4))]
    schema = _object(rng, DEPTH, definitions)
    if definitions:
        schema["$defs"] = {name: _node(rng, DEPTH - 1, definitions[at + 1 :]) for at, name in enumerate(definitions)}
    return schema


def _node(rng: random.Random, depth: int, definitions: list[str]) -> dict[str, Any]:
    makers = [_scalar, _scalar] if depth <= 0 else [_scalar, _object, _union, _array, _all_of]
    if definitions and rng.random() < 0.25:
        return {"$ref": f"#/$defs/{rng.choice(definitions)}"}
    return rng.choice(makers)(rng, depth, definitions)


def _scalar(rng: random.Random, depth: int, definitions: list[str]) -> dict[str, Any]:
    forms: list[dict[str, Any]] = [
        {"type": rng.choice(_SCALARS)},
        {"enum": rng.choices(_WORDS, k=rng.randint(1, 6))},
        {"const": rng.choice([5, "да", True])},
        {"type": "string", "format": rng.choice(["uuid", "date", "email"])},
        {"type": rng.sample([*_SCALARS, "null"], 2)},
    ]
    form = rng.choices(forms, (50, 20, 10, 10, 10))[0] | (_condition(rng) if rng.random() < 0.1 else {})
    return form | ({"description": " ".join(rng.choices(_WORDS, k=rng.randint(1, 12)))} if rng.random() < 0.5 else {})


def _condition(rng: random.Random) -> dict[str, Any]:
    words = rng.choices(_WORDS, k=rng.randint(1, 9))
    return rng.choice([{"not": {"const": " ".join(words)}}, {"if": {"enum": words}, "then": {"maxLength": 9}}])


def _object(rng: random.Random, depth: int, definitions: list[str]) -> dict[str, Any]:
    names = [f"{rng.choice(_WORDS)}{number}" for number in range(rng.randint(1, 4))]
    made: dict[str, Any] = {"type": "object", "required": names[:2]}
    made["properties"] = {name: _node(rng, depth - 1, definitions) for name in names}
    if rng.random() < 0.3:
        made["additionalProperties"] = rng.choice([True, False, {"type": "string"}])
        made["propertyNames"] = rng.choice([{"type": "string"}, {"pattern": "^[a-z]+$"}])
    return made


def _union(rng: random.Random, depth: int, definitions: list[str]) -> dict[str, Any]:
    parts = [_node(rng, depth - 1, definitions) for _ in range(rng.randint(1, 3))]
    return {"title": "Любое", "anyOf": [*parts, {"type": "null"}]}


def _array(rng: random.Random, depth: int, definitions: list[str]) -> dict[str, Any]:
    return {"type": "array", "items": _node(rng, depth - 1, definitions)}


def _all_of(rng: random.Random, depth: int, definitions: list[str]) -> dict[str, Any]:
    return {"allOf": [_node(rng, depth - 1, definitions)], "description": "как там"}
