"""Reduces any JSON Schema to GigaChat's subset; what cannot be expressed there is refused by name.

An optional value is one that is not required. A union of objects is one object with the properties of all. What only
text can stand for (an enum of numbers, a union of types, a schema inside itself) becomes text in tools, whose arguments
`tool_arguments` turns back, and is refused in response formats, where nothing can be turned back in a stream. So are
conditions (`not`, `if`, `contains` …), which tools have in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final

import msgspec

from servicekit.errors import invalid_parameter
from services.router.providers import failures
from services.router.providers.gigachat.schemas.alternatives import (
    ANY,
    CONDITIONS,
    RECURSIVE,
    Alternative,
    Place,
    SchemaReader,
)
from services.router.providers.gigachat.schemas.effort import MOST_STEPS, MOST_UNITS
from services.router.providers.gigachat.schemas.json_beginning import beginning_of

FORMATS: Final[dict[str, tuple[str, ...]]] = {
    "string": ("date", "date-time", "time"),
    "integer": ("int32", "int64"),
    "number": ("float", "double"),
}
_NUMBERS: Final = frozenset({"integer", "number"})
# Kept where all alternatives say the same.
_KEPT: Final = (
    "title", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
    "pattern", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
)  # fmt: skip
_LONGEST_NOTE: Final = 600
# A body has 30,000 elements and 10 MB at most: schemas that are written out never come to it.
MOST_STEPS_TOGETHER: Final = 20_000
MOST_UNITS_TOGETHER: Final = 8 * MOST_UNITS


class EffortLeft:
    """The remaining effort for all schemas of one request: each may be small, but there may be hundreds."""

    __slots__ = ("_steps", "_units")

    def __init__(self) -> None:
        self._steps = MOST_STEPS_TOGETHER
        self._units = MOST_UNITS_TOGETHER

    def reader(self, schema: dict[str, Any], *, refuses_conditions: bool) -> SchemaReader:
        """Return a reader of one more of them."""
        steps, units = min(MOST_STEPS, self._steps), min(MOST_UNITS, self._units)
        return SchemaReader(schema, steps, units, refuses_conditions=refuses_conditions)

    def took(self, reader: SchemaReader) -> None:
        """Count what it took."""
        steps, units = reader.taken
        self._steps -= steps
        self._units -= units


def reduced(
    schema: dict[str, Any], param: str, *, is_turned_back: bool, left: EffortLeft | None = None
) -> dict[str, Any]:
    """Return `schema` in the subset; without a type it is an object's.

    Args:
        param: the name of the field, for errors.
        is_turned_back: text may stand for other values.
        left: what the request's schemas may take together.

    Raises:
        InvalidRequest: what cannot be said, by its name.
    """
    left = left or EffortLeft()
    reducer = _Reducer(left.reader(schema, refuses_conditions=not is_turned_back), is_turned_back)
    place = Place(param)
    found = reducer.reader.alternatives(schema, place)
    known = [Alternative("object", each.schema, each.place) if each.kind == ANY else each for each in found]
    made = reducer.of(known, place)
    if made is None:
        raise invalid_parameter(param, f"No value fits the schema in '{param}'.")
    left.took(reducer.reader)
    return made


class _Reducer:
    def __init__(self, reader: SchemaReader, is_turned_back: bool) -> None:
        self.reader = reader
        self._is_turned_back = is_turned_back

    def of(self, found: Sequence[Alternative], place: Place) -> dict[str, Any] | None:
        """Return one schema for all alternatives but null; None when there is no other."""
        real = [each for each in found if each.kind != "null"]
        kinds = {each.kind for each in real}
        if not kinds:
            return None
        if kinds <= _NUMBERS:
            return self._numbers("integer" if kinds == {"integer"} else "number", real, place)
        if len(kinds) > 1 or kinds <= {RECURSIVE}:
            return self._as_text(real, place)
        (kind,) = kinds
        makers = {"object": self._object, "array": self._array}
        return makers[kind](real, place) if kind in makers else _scalar(kind, real)

    def _parts(self, schemas: Iterable[tuple[Any, Place]]) -> list[Alternative]:
        return [each for schema, place in schemas for each in self.reader.alternatives(schema, place)]

    def _object(self, real: Sequence[Alternative], place: Place) -> dict[str, Any]:
        if any("enum" in each.schema for each in real):
            return self._as_text(real, place)
        made: dict[str, Any] = {**_kept(real, "object"), "properties": {}}
        named: dict[str, list[tuple[Any, Place]]] = {}
        for each in real:
            for name, schema in _properties(each).items():
                named.setdefault(name, []).append((schema, each.place))
        optional = set(named)
        for name, schemas in named.items():
            found = self._parts((schema, at.into(f"properties.{name}")) for schema, at in schemas)
            if (part := self.of(found, place.into(f"properties.{name}"))) is not None:
                made["properties"][name] = part
                if all(each.kind != "null" for each in found):
                    optional.discard(name)
        self._finish_object(made, real, optional, place)
        return made

    def _finish_object(
        self, made: dict[str, Any], real: Sequence[Alternative], optional: set[str], place: Place
    ) -> None:
        needed = [name for name in made["properties"] if name not in optional]
        asked = Counter(name for each in real for name in set(each.schema.get("required") or ()))
        required = [name for name in needed if asked[name] == len(real)]
        if required:
            made["required"] = required
        others = [(other, each.place) for each in real for other in _other_properties(each)]
        if others and all(other is False for other, _ in others) and len(others) == len(real):
            made["additionalProperties"] = False
        elif any(isinstance(other, dict) for other, _ in others):
            where = "additionalProperties"
            found = self._parts((other, at.into(where)) for other, at in others)
            part = None if any(each.kind == ANY for each in found) else self.of(found, place.into(where))
            made["additionalProperties"] = part if part is not None else True
        elif others:
            made["additionalProperties"] = True

    def _array(self, real: Sequence[Alternative], place: Place) -> dict[str, Any]:
        if any("enum" in each.schema for each in real):
            return self._as_text(real, place)
        items = [(item, each.place.into("items")) for each in real for item in _items(each)]
        made = self.of(self._parts(items), place.into("items"))
        return {**_kept(real, "array"), "items": made or {"type": "string"}}

    def _numbers(self, kind: str, real: Sequence[Alternative], place: Place) -> dict[str, Any]:
        if all("enum" in each.schema for each in real):
            if self._is_turned_back:
                return self._as_text(real, place)
            return _noted(_kept(real, kind), f"One of: {', '.join(_texts(real))}.")
        return _kept(real, kind)

    def _as_text(self, real: Sequence[Alternative], place: Place) -> dict[str, Any]:
        if not self._is_turned_back:
            kinds = ", ".join(dict.fromkeys(each.kind for each in real))
            raise failures.unsupported(place.param, "GigaChat", f"an answer's field cannot be a choice of: {kinds}")
        made = _described({"type": "string"}, real)
        if all("enum" in each.schema for each in real):
            return {**made, "enum": _texts(real)}
        return _noted(made, _note_of_forms(real))


def text_of(value: Any) -> str:
    """Return the text that stands for a value of an enum."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _scalar(kind: str, real: Sequence[Alternative]) -> dict[str, Any]:
    if kind == ANY:
        return _described({"type": "string"}, real)
    made = _kept(real, kind)
    if all("enum" in each.schema for each in real):
        if kind == "string":
            made["enum"] = _texts(real)
        elif len(texts := _texts(real)) == 1:
            return _noted(made, f"Always {texts[0]}.")
    return made


def _kept(real: Sequence[Alternative], kind: str) -> dict[str, Any]:
    """Return the type with the bounds and notes that all alternatives share."""
    first, *others = (each.schema for each in real)
    made: dict[str, Any] = {"type": kind}
    for name in _KEPT:
        if name in first and all(name in other and other[name] == first[name] for other in others):
            made[name] = first[name]
    _described(made, real)
    formats = list(dict.fromkeys(str(each.schema["format"]) for each in real if "format" in each.schema))
    if len(formats) == 1 and formats[0] in FORMATS.get(kind, ()):
        made["format"] = formats[0]
    elif formats:
        return _noted(made, f"Format: {', '.join(formats)}.")
    return made


def _described(made: dict[str, Any], real: Sequence[Alternative]) -> dict[str, Any]:
    said = dict.fromkeys(str(each.schema["description"]) for each in real if each.schema.get("description"))
    if said:
        made["description"] = " / ".join(said)
    conditions = _conditions(real)
    return _noted(made, f"Conditions: {conditions}") if conditions else made


def _conditions(real: Sequence[Alternative]) -> str:
    """Return the JSON of each condition, told once; no more of them than there is room for."""
    told: dict[str, None] = {}
    for condition in chain.from_iterable(each.schema.get(CONDITIONS, ()) for each in real):
        told[beginning_of(condition, _LONGEST_NOTE)] = None
        if sum(map(len, told)) >= _LONGEST_NOTE:
            break
    return ", ".join(told)[:_LONGEST_NOTE]


def _noted(made: dict[str, Any], note: str) -> dict[str, Any]:
    made["description"] = f"{made['description']} {note}" if "description" in made else note
    return made


def _texts(real: Sequence[Alternative]) -> list[str]:
    return list(dict.fromkeys(text_of(value) for each in real for value in each.schema["enum"]))


def _note_of_forms(real: Sequence[Alternative]) -> str:
    """Return what the text may be; no more of the schemas is written out than there is room for."""
    note, between = "Text, or JSON written as text, of one of these forms: ", ""
    for each in real:
        if len(note) >= _LONGEST_NOTE:
            break
        form = beginning_of({"type": each.kind, **each.schema}, _LONGEST_NOTE) if each.schema else each.kind
        note, between = note + between + form, "; "
    return note[:_LONGEST_NOTE]


def _properties(each: Alternative) -> dict[str, Any]:
    return each.schema.get("properties") or {}


def _other_properties(each: Alternative) -> list[Any]:
    """Return the schemas of the properties that are not named."""
    patterns = list((each.schema.get("patternProperties") or {}).values())
    return [*patterns, *([each.schema["additionalProperties"]] if "additionalProperties" in each.schema else [])]


def _items(each: Alternative) -> list[Any]:
    """Return the schemas that items may fit."""
    items = each.schema.get("items")
    listed = [*(each.schema.get("prefixItems") or ()), *(items if isinstance(items, list) else [])]
    return listed if isinstance(items, list) or items is None else [*listed, items]
