"""JSON schemas -> what a table of fields shows: name, type, what it may be, what it is for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Schema = Mapping[str, Any]
_REF: Final = "#/components/schemas/"
# What narrows a value, by its name in a schema and that of its text.
LIMITS: Final = {
    "minimum": "at_least",
    "exclusiveMinimum": "more_than",
    "maximum": "at_most",
    "exclusiveMaximum": "less_than",
    "minLength": "characters_at_least",
    "maxLength": "characters_at_most",
    "minItems": "items_at_least",
    "maxItems": "items_at_most",
    "pattern": "pattern",
    "default": "default",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a type's name; `type_name`: the type that it is, where it has a name."""

    text: str
    type_name: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a value may be: the name of the text that says so, and the figure in it."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Field:
    """A row of a table. A field of an object without a name of its own is "outer.inner", in a list "outer[].inner"."""

    name: str
    kind: tuple[Part, ...]
    is_required: bool
    said: str
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class NamedType:
    """A type with a name. Without fields, `kind` says what it is."""

    name: str
    said: str
    kind: tuple[Part, ...]
    fields: tuple[Field, ...]


def kind_of(schema: Schema) -> tuple[Part, ...]:
    """Return the name of a type: `string | null`, `Message[]`, `map<integer>`."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REF)
        return (Part(name, name),)
    if "anyOf" in schema:
        return _joined(kind_of(each) for each in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return _joined((Part(json.dumps(value, ensure_ascii=False)),) for value in values)
    return _by_type(schema)


def _by_type(schema: Schema) -> tuple[Part, ...]:
    kind = schema.get("type", "object" if "properties" in schema else "any")
    if isinstance(kind, list):
        return (Part(" | ".join(kind)),)
    if kind == "array":
        items = kind_of(schema.get("items", {}))
        return (Part("("), *items, Part(")[]")) if len(items) > 1 else (*items, Part("[]"))
    inner = schema.get("additionalProperties")
    if kind == "object" and isinstance(inner, dict) and "properties" not in schema:
        return (Part("map<"), *kind_of(inner), Part(">"))
    return (Part(f"{kind} ({schema['format']})" if "format" in schema else kind),)


def _joined(kinds: Iterable[tuple[Part, ...]]) -> tuple[Part, ...]:
    found: list[Part] = []
    for kind in kinds:
        found += [Part(" | "), *kind] if found else kind
    return tuple(found)


def limits_of(schema: Schema) -> tuple[Limit, ...]:
    """Return what narrows a value; of a choice, what narrows each of its types."""
    own = [schema, *schema.get("anyOf", ())]
    found = [(text, each[name]) for each in own for name, text in LIMITS.items() if each.get(name) is not None]
    return tuple(dict.fromkeys(Limit(text, _written(value)) for text, value in found))


def _written(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def fields_of(schema: Schema, schemas: Mapping[str, Schema], prefix: str = "") -> Iterator[Field]:
    """Yield the rows of an object, those of nameless objects in it, too."""
    whole = resolved(schema, schemas)
    needed = whole.get("required", ())
    for name, each in whole.get("properties", {}).items():
        yield Field(prefix + name, kind_of(each), name in needed, _said(each, schemas), limits_of(each))
        inner, mark = (each.get("items", {}), "[].") if each.get("type") == "array" else (each, ".")
        if "properties" in inner:
            yield from fields_of(inner, schemas, f"{prefix}{name}{mark}")


def resolved(schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    """Return the schema that is meant: the one of that name, where it is a name."""
    return schemas[schema["$ref"].removeprefix(_REF)] if "$ref" in schema else schema


def _said(schema: Schema, schemas: Mapping[str, Schema]) -> str:
    said: str = schema.get("description") or resolved(schema, schemas).get("description", "")
    return said


def named_types(fields: Iterable[Field], schemas: Mapping[str, Schema]) -> list[NamedType]:
    """Return the types that fields name, and those that their fields name, by name."""
    found: dict[str, NamedType] = {}
    waiting = _names_in(fields)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = named_type(name, schemas)
            waiting += _names_in([*found[name].fields, Field("", found[name].kind, False, "", ())])
    return [found[name] for name in sorted(found)]


def named_type(name: str, schemas: Mapping[str, Schema]) -> NamedType:
    """Return the type of this name."""
    schema = schemas[name]
    return NamedType(name, schema.get("description", ""), kind_of(schema), tuple(fields_of(schema, schemas)))


def _names_in(fields: Iterable[Field]) -> list[str]:
    return [part.type_name for field in fields for part in field.kind if part.type_name]
