"""Converts tool call arguments back to the caller's schema where GigaChat was told that they are text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from servicekit.errors import InvalidRequest
from services.router.domain.completion import Tool, ToolCall
from services.router.providers.gigachat.schemas.alternatives import (
    ANY,
    RECURSIVE,
    Alternative,
    Place,
    SchemaReader,
    kind_of,
)
from services.router.providers.gigachat.schemas.reducer import text_of

_HERE: Final = Place("arguments")
# One for each value and alternative: what a model says is bounded, so this is for bad schemas only.
_MOST_STEPS: Final = 100_000
_MOST_UNITS: Final = 200_000
_CONTAINERS: Final = ("object", "array")


def turn_back(calls: Sequence[ToolCall], tools: Sequence[Tool]) -> None:
    """Give each call arguments of the types that its tool's schema names."""
    if not calls:
        return
    schemas = {tool.name: tool.parameters_json for tool in tools if tool.parameters_json}
    for call in calls:
        if call.name in schemas:
            call.arguments = arguments_as_meant(call.arguments, schemas[call.name])


def arguments_as_meant(arguments: str, schema_json: bytes) -> str:
    """Return the arguments' JSON text; what does not fit the schema stays as it came."""
    try:
        value, schema = msgspec.json.decode(arguments), msgspec.json.decode(schema_json)
        meant = _Meaning(SchemaReader(schema, _MOST_STEPS, _MOST_UNITS)).of(value, [schema])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError, InvalidRequest):
        return arguments
    return arguments if meant == value else msgspec.json.encode(meant).decode()


class _Meaning:
    def __init__(self, reader: SchemaReader) -> None:
        self._reader = reader

    def of(self, value: Any, schemas: Sequence[Any]) -> Any:
        """Return `value` as any of the schemas means it."""
        found = [each for schema in schemas for each in self._reader.alternatives(schema, _HERE)]
        if isinstance(value, str):
            return self._of_text(value, found, schemas)
        if isinstance(value, dict):
            return self._of_object(value, [each.schema for each in found if each.kind in ("object", ANY)])
        if isinstance(value, list):
            items = [item for each in found if each.kind == "array" for item in _items(each.schema)]
            return [self.of(item, items) for item in value] if items else value
        return value

    def _of_text(self, text: str, found: Sequence[Alternative], schemas: Sequence[Any]) -> Any:
        kinds = {each.kind for each in found}
        is_text = any(_takes_text(each, text) for each in found)
        if kinds <= {"string", ANY} or not kinds:
            return text
        if not is_text:
            for each in found:
                for value in each.schema.get("enum") or ():
                    if text_of(value) == text:
                        return value
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return text
        own = kind_of(value)
        fits = own in kinds or RECURSIVE in kinds or (own == "integer" and "number" in kinds)
        return self.of(value, schemas) if fits and own != "string" and (not is_text or own in _CONTAINERS) else text

    def _of_object(self, value: dict[str, Any], objects: Sequence[dict[str, Any]]) -> dict[str, Any]:
        meant: dict[str, Any] = {}
        for name, part in value.items():
            schemas = [schema for each in objects for schema in _schemas_of(name, each)]
            meant[name] = self.of(part, schemas) if schemas else part
        for name in self._nulls_left_out(value, objects):
            meant[name] = None
        return meant

    def _nulls_left_out(self, value: dict[str, Any], objects: Sequence[dict[str, Any]]) -> list[str]:
        """Return the required names that are absent and may be null: they were told to be optional."""
        if not objects:
            return []
        absent = [name for name in objects[0].get("required") or () if name not in value]
        return [name for name in absent if all(self._may_be_null(name, each) for each in objects)]

    def _may_be_null(self, name: str, each: dict[str, Any]) -> bool:
        if name not in (each.get("required") or ()) or name not in (each.get("properties") or {}):
            return False
        return any(part.kind == "null" for part in self._reader.alternatives(each["properties"][name], _HERE))


def _takes_text(each: Alternative, text: str) -> bool:
    return each.kind in ("string", ANY) and ("enum" not in each.schema or text in each.schema["enum"])


def _schemas_of(name: str, each: dict[str, Any]) -> list[Any]:
    properties = each.get("properties") or {}
    if name in properties:
        return [properties[name]]
    others = [*(each.get("patternProperties") or {}).values(), each.get("additionalProperties")]
    return [other for other in others if isinstance(other, dict)]


def _items(schema: dict[str, Any]) -> list[Any]:
    items = schema.get("items")
    listed = [*(schema.get("prefixItems") or ()), *(items if isinstance(items, list) else [])]
    return [*listed, items] if isinstance(items, dict) else listed
