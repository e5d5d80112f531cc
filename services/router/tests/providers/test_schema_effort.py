"""What a caller's schema costs the router: bounded, whatever its references and unions have read again and again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from servicekit.errors import InvalidRequest
from services.router.providers.gigachat.schemas.alternatives import common_values
from services.router.providers.gigachat.schemas.json_beginning import beginning_of
from services.router.providers.gigachat.schemas.reducer import reduced
from services.router.providers.gigachat.tool_arguments import arguments_as_meant


def referring(definition: dict[str, Any], times: int, how: str) -> dict[str, Any]:
    """Return a schema that says one definition many times."""
    return {
        "type": "object",
        "$defs": {"Once": definition},
        "properties": {"x": {how: [{"$ref": "#/$defs/Once"}] * times}},
    }


NAMES = [f"field_{number}" for number in range(9000)]
# Each within the steps that a schema may take, and seconds or minutes of the event loop before.
UNFOLDING: list[tuple[str, dict[str, Any]]] = [
    ("values", referring({"enum": list(range(20_000))}, 200, "anyOf")),
    ("common values", referring({"enum": list(range(5000))}, 200, "allOf")),
    ("required names", referring({"type": "object", "required": NAMES}, 200, "allOf")),
    ("properties", referring({"type": "object", "properties": dict.fromkeys(NAMES, True)}, 200, "anyOf")),
    ("text", referring({"type": "string", "description": "x" * 100_000}, 200, "anyOf")),
    ("words that nobody knows", referring({"type": "string", "x-note": ["x" * 100_000]}, 200, "anyOf")),
]


@pytest.mark.parametrize("is_turned_back", [True, False])
@pytest.mark.parametrize(("what", "schema"), UNFOLDING, ids=[what for what, _ in UNFOLDING])
def test_a_schema_that_has_much_read_again_is_refused_by_name(
    what: str, schema: dict[str, Any], *, is_turned_back: bool
) -> None:
    """A free key could stop all requests of a router for minutes with some 100 KB of schema."""
    with pytest.raises(InvalidRequest, match="too large or too deep"):
        reduced(schema, "tools[0].function.parameters", is_turned_back=is_turned_back)


def test_equal_schemas_are_not_compared_without_end() -> None:
    """Two that say the same, each hundreds of times in turn, are compared as deep as they go each time."""
    deep = {"type": "array", "items": {"type": "object", "properties": dict.fromkeys(NAMES[:3000], True)}}
    schema = {
        "$defs": {"One": deep, "Other": json.loads(json.dumps(deep))},
        "properties": {"x": {"allOf": [{"$ref": "#/$defs/One"}, {"$ref": "#/$defs/Other"}] * 300}},
    }
    with pytest.raises(InvalidRequest, match="too large or too deep"):
        reduced(schema, "p", is_turned_back=True)


def test_a_large_schema_of_use_is_said() -> None:
    """A thousand described fields, some of them by reference, are no attack."""
    money = {"type": "string", "enum": ["RUB", "USD", "EUR"], "description": "Валюта по ISO 4217."}
    fields: dict[str, Any] = {name: {"type": "string", "description": "Что это за поле." * 5} for name in NAMES[:800]}
    fields |= {f"{name}_money": {"$ref": "#/$defs/Money"} for name in NAMES[:200]}
    made = reduced(
        {"$defs": {"Money": money}, "properties": fields, "required": list(fields)}, "p", is_turned_back=True
    )
    assert len(made["properties"]) == 1000
    assert made["required"] == list(fields)
    assert made["properties"]["field_7_money"] == money


class Counted(int):
    """A number that counts how often it is compared."""

    comparisons = 0

    def __eq__(self, other: object) -> bool:
        Counted.comparisons += 1
        return int(self) == other

    def __hash__(self) -> int:
        return hash(int(self))


def test_values_of_two_enums_are_looked_up_not_compared_each_with_each() -> None:
    """Two enums of 15,000 values, 200 KB in all, took the router seven seconds."""
    one, other = [Counted(number) for number in range(300)], [Counted(number) for number in range(200, 500)]
    Counted.comparisons = 0
    assert common_values(one, other) == list(range(200, 300))
    assert Counted.comparisons < 3000


def test_a_type_that_is_named_again_and_again_is_one_type() -> None:
    """Each naming went through all values of the enum: 3,000 of each were seven seconds."""
    values = [f"v{number}" for number in range(50)]
    made = reduced({"properties": {"x": {"type": ["string"] * 50, "enum": values}}}, "p", is_turned_back=False)
    assert made["properties"]["x"] == {"type": "string", "enum": values}


def test_arguments_of_a_schema_that_has_much_read_again_stay_as_they_came() -> None:
    """What a model answers is judged by the same schema: that ends, too."""
    schema = json.dumps({"properties": {"x": {"items": {"enum": list(range(20_000))}}}}).encode()
    arguments = json.dumps({"x": ["7"] * 500})
    assert arguments_as_meant(arguments, schema) == arguments


@pytest.mark.parametrize("value", [{}, [], {"a": [1, {"б": None}], "c": "d"}, ['x"y', True], "text", 1.5])
def test_the_beginning_of_a_value_is_that_of_its_json(value: Any) -> None:
    """A note quotes a schema: what does not fit into it is not written out."""
    whole = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert beginning_of(value, 1000) == whole
    assert beginning_of(value, 3)[:3] == whole[:3]
