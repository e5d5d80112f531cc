"""An example of every body: those in `examples.toml`, and of all others what their schemas allow.

Each is valid by its schema, and the gateway understands each request: tests hold them against both.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from services.gateway.reference.operations import Whole, operations_of

Schema = dict[str, Any]
_GIVEN: Final = tomllib.loads((Path(__file__).parent / "examples.toml").read_text(encoding="utf-8"))
REQUESTS: Final[dict[str, Any]] = _GIVEN["requests"]
# Values by the name of a field; the first one of the right type is taken.
VALUES: Final[dict[str, list[Any]]] = _GIVEN["values"]
DEEPEST: Final = 6
_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}
_PLAIN: Final[dict[str, Any]] = {"string": "text", "integer": 1, "number": 1.0, "boolean": True, "null": None}
_REF: Final = "#/components/schemas/"


def add_examples(whole: Whole) -> None:
    """Give every JSON body an example, and every parameter of a path."""
    schemas: dict[str, Schema] = whole["components"]["schemas"]
    for _, _, operation in operations_of(whole):
        for content in _contents(operation):
            content.setdefault("example", example_of(content.get("schema", {}), schemas))
        given = REQUESTS.get(operation["operationId"])
        if given is not None:
            next(iter(operation["requestBody"]["content"].values()))["example"] = given
        for parameter in operation.get("parameters", []):
            _add_to_parameter(parameter, schemas)


def _contents(operation: dict[str, Any]) -> list[dict[str, Any]]:
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    bodies += list(operation["responses"].values())
    read = ("application/json", "application/x-www-form-urlencoded")
    return [content for body in bodies for kind, content in body.get("content", {}).items() if kind in read]


def _add_to_parameter(parameter: dict[str, Any], schemas: dict[str, Schema]) -> None:
    if parameter["in"] == "path" and "example" not in parameter:
        parameter["example"] = example_of(parameter["schema"], schemas, parameter["name"])


def example_of(schema: Schema, schemas: dict[str, Schema], name: str = "", depth: int = 0) -> Any:
    """Return a value that the schema allows, as real as its name can make it."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].removeprefix(_REF)], schemas, name, depth)
    if schema.get("examples"):
        return schema["examples"][0]
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example_of(_first_choice(schema["anyOf"], depth), schemas, name, depth)
    return _by_type(schema, schemas, name, depth)


def _first_choice(choices: list[Schema], depth: int) -> Schema:
    if depth >= DEEPEST and {"type": "null"} in choices:
        return {"type": "null"}
    return next((choice for choice in choices if choice.get("type") != "null"), choices[0])


def _by_type(schema: Schema, schemas: dict[str, Schema], name: str, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    for value in () if schema.get("properties") else VALUES.get(name, ()):
        if _is_of(schema, kind, value):
            return value
    if kind == "array":
        return _list(schema, schemas, name, depth)
    if kind == "object":
        return _object(schema, schemas, depth)
    if kind == "string":
        return _text(schema)
    return _number(schema, kind) if kind in ("integer", "number") else _PLAIN[kind]


def _is_of(schema: Schema, kind: str, value: Any) -> bool:
    if isinstance(value, list):
        of = schema.get("items", {}).get("type")
        return kind == "array" and all(isinstance(item, _TYPES.get(of, ())) for item in value)
    return isinstance(value, _TYPES.get(kind, ())) and not (isinstance(value, bool) and kind != "boolean")


def _list(schema: Schema, schemas: dict[str, Schema], name: str, depth: int) -> list[Any]:
    if depth >= DEEPEST and not schema.get("minItems"):
        return []
    return [example_of(schema.get("items", {}), schemas, name, depth + 1)]


def _object(schema: Schema, schemas: dict[str, Schema], depth: int) -> dict[str, Any]:
    needed = schema.get("required", ())
    fields = {name: each for name, each in schema.get("properties", {}).items() if name in needed or depth < 1}
    return {name: example_of(each, schemas, name, depth + 1) for name, each in fields.items()}


def _text(schema: Schema) -> str:
    if schema.get("format") == "date-time":
        return "2026-11-29T10:00:00Z"
    if schema.get("pattern") == r"^\d+\.\d{6}$":
        return "0.125400"
    least: int = schema.get("minLength", 0)
    return "text".ljust(least, "x")


def _number(schema: Schema, kind: str) -> int | float:
    floor: float = schema.get("exclusiveMinimum", -1)
    value = max(1, schema.get("minimum", 0), floor + 1)
    return int(value) if kind == "integer" else float(value)
