"""Expands a JSON Schema into alternatives without references, unions or type lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final

import msgspec

from servicekit.errors import invalid_parameter
from services.router.providers import failures
from services.router.providers.gigachat.schemas.effort import Effort

# Of an untyped schema, and of a reference back to a schema that it stands in.
ANY: Final = "any"
RECURSIVE: Final = "recursive"
TYPES: Final = ("string", "number", "integer", "boolean", "object", "array", "null")
# Deeper is an attack, or a mistake; so is more work than a reader is given.
_DEEPEST: Final = 40
# What a value must fit beside its type and bounds: words in tools, whose arguments nobody promises.
_CONDITIONS: Final = (
    "if", "then", "else", "dependentSchemas", "unevaluatedProperties", "contains", "propertyNames", "not",
)  # fmt: skip
# In what they hold anyway: zod says the first of every record, and so Claude Code does of its tools.
_HELD: Final[dict[str, tuple[Any, ...]]] = {
    "propertyNames": ({"type": "string"}, {}, True), "unevaluatedProperties": ({}, True), "not": (False,),
}  # fmt: skip
CONDITIONS: Final = "conditions"
_NOT_OWN: Final = frozenset({"$ref", "allOf", "anyOf", "oneOf", "$defs", "definitions", CONDITIONS, *_CONDITIONS})
_SHAPES: Final[dict[str, type]] = {
    "$ref": str, "allOf": list, "anyOf": list, "oneOf": list, "enum": list, "properties": dict, "required": list,
    "patternProperties": dict, "prefixItems": list,
}  # fmt: skip
_OF_OBJECTS: Final = ("properties", "required", "additionalProperties", "patternProperties")
_OF_ARRAYS: Final = ("items", "prefixItems")


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a schema: its name for errors, and the references that led there."""

    param: str
    trail: frozenset[str] = frozenset()
    depth: int = 0

    def into(self, name: str) -> Place:
        """Return the place of the schema called `name` in this one."""
        return replace(self, param=f"{self.param}.{name}", depth=self.depth + 1)


@dataclass(frozen=True, slots=True)
class Alternative:
    """A schema of one type; `kind` is that type, or ANY or RECURSIVE; CONDITIONS of it are a list of schemas."""

    kind: str
    schema: dict[str, Any]
    place: Place


class SchemaReader:
    """Reads the schemas of one document."""

    def __init__(
        self,
        root: dict[str, Any],
        most_steps: int,
        most_units: int,
        *,
        refuses_conditions: bool = False,
    ) -> None:
        self._root = root
        self._refuses_conditions = refuses_conditions
        self._effort = Effort(most_steps, most_units)

    def alternatives(self, schema: Any, place: Place) -> list[Alternative]:
        """Return what a value may be; nothing, when no value fits.

        Raises:
            InvalidRequest: no schema, too large a one, or one that says what cannot be said this way.
        """
        self._effort.step()
        self._check_effort(place)
        if isinstance(schema, bool):
            return [Alternative(ANY, {}, place)] if schema else []
        if not isinstance(schema, dict):
            raise invalid_parameter(place.param, f"'{place.param}' must be a JSON Schema.")
        self._effort.read(schema)
        self._check_effort(place)
        _check_shapes(schema, place)
        schema = {name: value for name, value in schema.items() if value is not None or name not in _SHAPES}
        conditions = _conditions(schema)
        if conditions.get("not") in ({}, True):
            return []
        if conditions and self._refuses_conditions:
            raise failures.unsupported(
                f"{place.param}.{next(iter(conditions))}", "GigaChat", "its schemas know no such condition"
            )
        met: list[Alternative] = [Alternative(ANY, {}, place)]
        for part in self._parts(schema, place):
            met = [both for one in met for other in part if (both := self._meet(one, other)) is not None]
        return met

    @property
    def taken(self) -> tuple[int, int]:
        """How many steps and units were taken."""
        return self._effort.taken

    def _check_effort(self, place: Place) -> None:
        if self._effort.is_spent or place.depth > _DEEPEST:
            raise invalid_parameter(place.param, f"The schema is too large or too deep at '{place.param}'.")

    def _parts(self, schema: dict[str, Any], place: Place) -> Iterator[Sequence[Alternative]]:
        """Yield what all must hold; the schema's own words come last and override."""
        if "$ref" in schema:
            yield self._referred(schema["$ref"], place)
        for at, part in enumerate(schema.get("allOf") or ()):
            yield self.alternatives(part, place.into(f"allOf[{at}]"))
        for name in ("anyOf", "oneOf"):
            if name in schema:
                yield list(chain(*self._each(schema[name], name, place)))
        own = {key: schema[key] for key in schema if key not in _NOT_OWN}
        if conditions := _conditions(schema):
            own[CONDITIONS] = [conditions]
        yield own_alternatives(own, place)

    def _each(self, parts: Sequence[Any], name: str, place: Place) -> Iterable[list[Alternative]]:
        return [self.alternatives(part, place.into(f"{name}[{at}]")) for at, part in enumerate(parts)]

    def _referred(self, ref: str, place: Place) -> list[Alternative]:
        if ref in place.trail:
            return [Alternative(RECURSIVE, {}, place)]
        target: Any = self._root
        for step in _steps_of(ref, place):
            target = target.get(step) if isinstance(target, dict) else None
        if target is None:
            raise invalid_parameter(f"{place.param}.$ref", f"'{place.param}.$ref' points at nothing in this schema.")
        inside = replace(place, trail=place.trail | {ref}, depth=place.depth + 1)
        return self.alternatives(target, inside)

    def _meet(self, one: Alternative, other: Alternative) -> Alternative | None:
        """Return what fits both; None: nothing does."""
        self._effort.step()
        self._check_effort(other.place)
        kind = _common_kind(one.kind, other.kind)
        if kind is None:
            return None
        self._effort.merge(one.schema, other.schema)
        self._check_effort(other.place)
        schema = _merged(one.schema, other.schema)
        if schema.get("enum") == []:
            return None
        place = replace(other.place, trail=one.place.trail | other.place.trail)
        return Alternative(kind, schema, place)


def own_alternatives(schema: dict[str, Any], place: Place) -> list[Alternative]:
    """Return an alternative for each type that a schema without combinations names or means."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    of_values = None if values is None else list(map(kind_of, values))
    kinds = _kinds(schema, of_values, place)
    if values is None or of_values is None:
        return [Alternative(kind, schema, place) for kind in kinds]
    rest = {key: value for key, value in schema.items() if key != "const"}
    told = list(zip(values, of_values, strict=True))
    fitting = [(kind, [value for value, own in told if _is_of(kind, own)]) for kind in kinds]
    return [Alternative(kind, {**rest, "enum": those}, place) for kind, those in fitting if those]


def kind_of(value: Any) -> str:
    """Return the JSON type of a value."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if isinstance(value, int) or value.is_integer() else "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "null"


def _kinds(schema: dict[str, Any], of_values: list[str] | None, place: Place) -> list[str]:
    named = schema.get("type", _meant(schema, of_values))
    kinds = [named] if isinstance(named, str) else named
    is_known = isinstance(kinds, list) and all(kind in (*TYPES, ANY) for kind in kinds)
    if not is_known or ("type" in schema and ANY in kinds):
        raise invalid_parameter(f"{place.param}.type", f"'{place.param}.type' is no type of JSON Schema.")
    different = list(dict.fromkeys(kinds))
    return [*different, "null"] if schema.get("nullable") is True and "null" not in kinds else different


def _meant(schema: dict[str, Any], of_values: list[str] | None) -> list[str]:
    """Return the types that a schema without `type` speaks of."""
    if of_values is not None:
        return list(dict.fromkeys(of_values))
    if any(name in schema for name in _OF_OBJECTS):
        return ["object"]
    return ["array"] if any(name in schema for name in _OF_ARRAYS) else [ANY]


def _is_of(kind: str, own: str) -> bool:
    return own == kind or (kind == "number" and own == "integer")


def _common_kind(one: str, other: str) -> str | None:
    if ANY in (one, other):
        return other if one == ANY else one
    if RECURSIVE in (one, other):
        return RECURSIVE
    if {one, other} == {"integer", "number"}:
        return "integer"
    return one if one == other else None


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    merged = {**one, **other}
    for name in one.keys() & other.keys():
        if name == "properties":
            merged[name] = _merged_properties(one[name], other[name])
        elif name == "required":
            merged[name] = list(dict.fromkeys([*one[name], *other[name]]))
        elif name == CONDITIONS:
            merged[name] = [*one[name], *other[name]]
        elif name == "enum":
            merged[name] = common_values(one[name], other[name])
        elif name in ("items", "additionalProperties"):
            merged[name] = {"allOf": [one[name], other[name]]} if one[name] != other[name] else one[name]
    return merged


def common_values(one: list[Any], other: list[Any]) -> list[Any]:
    """Return the values of an enum that are in another one, too: not each compared with each."""
    known = set(map(_comparable, other))
    return [value for value in one if _comparable(value) in known]


def _comparable(value: Any) -> Any:
    return msgspec.json.encode(value, order="sorted") if isinstance(value, dict | list) else value


def _merged_properties(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    shared = {name: {"allOf": [one[name], other[name]]} for name in one if name in other and one[name] != other[name]}
    return {**one, **other, **shared}


def _check_shapes(schema: dict[str, Any], place: Place) -> None:
    """Refuse a keyword whose value is no such thing; null stands for one that was left out."""
    for name, kind in _SHAPES.items():
        value = schema.get(name)
        is_right = value is None or isinstance(value, kind)
        if name == "required" and is_right:
            is_right = all(isinstance(each, str) for each in value or ())
        if not is_right:
            raise invalid_parameter(f"{place.param}.{name}", f"'{place.param}.{name}' is no such keyword's value.")


def _conditions(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: schema[name] for name in _CONDITIONS if name in schema and schema[name] not in _HELD.get(name, ())}


def _steps_of(ref: str, place: Place) -> list[str]:
    # LiteLLM leaves the number sign out of what it tells Anthropic's API.
    pointer = ref.removeprefix("#")
    if pointer and not pointer.startswith("/"):
        raise failures.unsupported(f"{place.param}.$ref", "GigaChat", "references must point into the same schema")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
