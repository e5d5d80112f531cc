"""Any schema in GigaChat's subset, judged by the emulator's rules; and the arguments in the caller's terms again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator.gigachat.schema_rules import check_schema
from servicekit.errors import ErrorReason
from services.router.domain.completion import ResponseFormat, Tool, ToolChoice
from services.router.providers.gigachat.tool_arguments import arguments_as_meant
from services.router.tests.adapters import Adapters, ask, call_for
from services.router.tests.providers.bodies import an_object, body, refused

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}


def in_a_tool(schema: dict[str, Any]) -> dict[str, Any]:
    made, _ = body("gigachat", ask(tools=[Tool("f", "", json.dumps(schema).encode())]))
    parameters: dict[str, Any] = made["functions"][0]["parameters"]
    check_schema(parameters)
    return parameters


def in_an_answer(schema: dict[str, Any]) -> dict[str, Any]:
    wanted = ResponseFormat("json_schema", "n", json.dumps(schema).encode())
    made, _ = body("gigachat", ask(response_format=wanted))
    shape: dict[str, Any] = made["response_format"]["schema"]
    check_schema(shape)
    return shape


CAMP = {"$ref": "#/$defs/Camp"}
WITH_CAMP = {"$defs": {"Camp": an_object("name", name=TEXT)}}
# What stands in the property `x`, and what becomes of it in tools and in answers alike.
BRIDGED: list[tuple[str, Any, dict[str, Any]]] = [
    ("Optional", {"anyOf": [TEXT, {"type": "null"}]}, TEXT),
    ("Optional with a default", {"anyOf": [NUMBER, {"type": "null"}], "default": None, "title": "X"},
     NUMBER | {"title": "X"}),
    ("oneOf of one type", {"oneOf": [{"type": "integer"}, {"type": "number"}]}, {"type": "number"}),
    ("type list", {"type": ["string", "null"], "maxLength": 3}, TEXT | {"maxLength": 3}),
    ("nullable", {"type": "string", "nullable": True}, TEXT),
    ("reference", CAMP, an_object("name", name=TEXT)),
    ("reference of LiteLLM", {"$ref": "/$defs/Camp"}, an_object("name", name=TEXT)),
    ("reference with words", CAMP | {"description": "где"}, an_object("name", name=TEXT) | {"description": "где"}),
    ("allOf", {"allOf": [CAMP, an_object(far=NUMBER)]}, an_object("name", name=TEXT, far=NUMBER)),
    ("allOf with words", {"allOf": [CAMP], "description": "да"}, an_object("name", name=TEXT) | {"description": "да"}),
    ("tagged union",
     {"oneOf": [an_object("k", "a", k={"const": "a"}, a=TEXT), an_object("k", k={"const": "b"}, b=NUMBER)]},
     an_object("k", k=TEXT | {"enum": ["a", "b"]}, a=TEXT, b=NUMBER)),
    ("one of the fields", an_object(a=TEXT, b=TEXT) | {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
     an_object(a=TEXT, b=TEXT)),
    ("const", {"const": "a"}, TEXT | {"enum": ["a"]}),
    ("enum without type", {"enum": ["a", "b", None]}, TEXT | {"enum": ["a", "b"]}),
    ("record of zod", {"type": "object", "propertyNames": TEXT, "additionalProperties": {}},
     {"type": "object", "properties": {}, "additionalProperties": True}),
    ("nothing left out", {"type": "object", "properties": {"a": TEXT}, "unevaluatedProperties": True, "not": False},
     {"type": "object", "properties": {"a": TEXT}}),
    ("format", {"type": "string", "format": "email"}, TEXT | {"description": "Format: email."}),
    ("format of time", {"type": "string", "format": "date"}, TEXT | {"format": "date"}),
    ("untyped", {"description": "что угодно"}, TEXT | {"description": "что угодно"}),
    ("untyped object", {"properties": {"a": TEXT}}, an_object(a=TEXT)),
    ("bare object", {"type": "object"}, an_object()),
    ("array without items", {"type": "array"}, {"type": "array", "items": TEXT}),
    ("array of anything", {"type": "array", "items": {}}, {"type": "array", "items": TEXT}),
    ("array of references", {"type": "array", "items": CAMP}, {"type": "array", "items": an_object("name", name=TEXT)}),
    ("tuple", {"type": "array", "prefixItems": [TEXT, TEXT]}, {"type": "array", "items": TEXT}),
    ("map", {"type": "object", "additionalProperties": {"type": ["integer", "null"]}},
     an_object() | {"additionalProperties": NUMBER}),
    ("map of anything", {"type": "object", "additionalProperties": {}}, an_object() | {"additionalProperties": True}),
    ("boolean", True, TEXT),
]  # fmt: skip


@pytest.mark.parametrize(("what", "given_", "wanted"), BRIDGED, ids=[row[0] for row in BRIDGED])
def test_what_typed_agents_send_is_said_in_the_subset(what: str, given_: Any, wanted: dict[str, Any]) -> None:
    """In tools and in answers, by the one reducer."""
    schema = an_object(x=given_) | WITH_CAMP

    assert in_a_tool(schema)["properties"] == {"x": wanted}
    assert in_an_answer(schema)["properties"] == {"x": wanted}


def test_what_may_be_null_is_not_required() -> None:
    """And what is never valid is not there."""
    schema = an_object("a", "b", "c", a=TEXT, b={"anyOf": [TEXT, {"type": "null"}]}, c={"type": "null"}, d=False)

    assert in_a_tool(schema) == an_object("a", a=TEXT, b=TEXT)


TURNED_BACK: list[tuple[Any, Any, Any]] = [
    # schema of x, what GigaChat says, what the caller reads
    ({"enum": [1, 2]}, "2", 2),
    ({"type": "integer", "enum": [1, 2]}, "1", 1),
    ({"enum": [1.5, "1", True]}, "1", "1"),
    ({"enum": [1.5, "1", True]}, "true", True),
    ({"anyOf": [{"enum": [1, 2]}, {"type": "null"}]}, "2", 2),
    ({"anyOf": [NUMBER, {"type": "boolean"}]}, "7", 7),
    ({"anyOf": [TEXT, NUMBER]}, "7", "7"),
    ({"anyOf": [TEXT, {"type": "array", "items": TEXT}]}, '["a","b"]', ["a", "b"]),
    ({"anyOf": [TEXT, {"type": "array", "items": TEXT}]}, "просто", "просто"),
    ({"type": "array", "items": {"enum": [1, 2]}}, ["1", "2"], [1, 2]),
    (an_object(y={"const": 5}), {"y": "5"}, {"y": 5}),
    ({"type": "object", "additionalProperties": {"enum": [1]}}, {"k": "1"}, {"k": 1}),
    ({"type": "string"}, '{"a":1}', '{"a":1}'),
    ({"enum": [1, 2]}, "семь", "семь"),
]


@pytest.mark.parametrize(("schema", "told", "meant"), TURNED_BACK)
def test_text_stands_for_other_values_in_tools_and_comes_back(schema: Any, told: Any, meant: Any) -> None:
    """The caller's types, whatever GigaChat was told."""
    whole = an_object(x=schema)
    in_a_tool(whole)

    arguments = arguments_as_meant(json.dumps({"x": told}), json.dumps(whole).encode())

    assert json.loads(arguments) == {"x": meant}
    assert type(json.loads(arguments)["x"]) is type(meant)


def test_a_required_value_that_may_be_null_comes_back_as_null() -> None:
    """A strict schema requires all names; GigaChat was told that this one is optional."""
    schema = an_object("a", "b", a=TEXT, b={"type": ["string", "null"]})

    assert json.loads(arguments_as_meant('{"a":"да"}', json.dumps(schema).encode())) == {"a": "да", "b": None}


def test_a_schema_inside_itself_is_text_in_tools() -> None:
    """A tree has no end; its inner nodes come as JSON text and are read."""
    node = an_object(name=TEXT, next={"$ref": "#/$defs/Node"})
    schema = an_object(top={"$ref": "#/$defs/Node"}) | {"$defs": {"Node": node}}

    told = in_a_tool(schema)
    arguments = arguments_as_meant('{"top":{"name":"a","next":"{\\"name\\":\\"b\\"}"}}', json.dumps(schema).encode())

    assert told["properties"]["top"]["properties"]["next"]["type"] == "string"
    assert json.loads(arguments) == {"top": {"name": "a", "next": {"name": "b"}}}


def test_numbers_of_an_enum_stay_numbers_in_answers() -> None:
    """Nothing can be turned back in a stream; the description says which."""
    assert in_an_answer(an_object(x={"enum": [1, 2]}))["properties"] == {"x": NUMBER | {"description": "One of: 1, 2."}}


REFUSED: list[tuple[Any, ErrorReason, str]] = [
    ({"$ref": "https://example.org/s"}, ErrorReason.UNSUPPORTED_PARAMETER, "properties.x.$ref"),
    ({"$ref": "#/$defs/Nobody"}, ErrorReason.INVALID_PARAMETERS, "properties.x.$ref"),
    ({"type": "text"}, ErrorReason.INVALID_PARAMETERS, "properties.x.type"),
    ({"type": "array", "items": 5}, ErrorReason.INVALID_PARAMETERS, "properties.x.items"),
    ({"anyOf": {}}, ErrorReason.INVALID_PARAMETERS, "properties.x.anyOf"),
]


@pytest.mark.parametrize(("schema", "reason", "name"), REFUSED)
def test_what_cannot_be_said_is_refused_by_its_name(schema: Any, reason: ErrorReason, name: str) -> None:
    """At any depth, with the path the caller wrote."""
    tools = [Tool("f", "", json.dumps(an_object(x=schema)).encode())]

    assert refused("gigachat", ask(tools=tools)) == (reason, f"tools[0].function.parameters.{name}")


CONDITIONS: list[tuple[dict[str, Any], str]] = [
    ({"not": {"const": "a"}}, '{"not":{"const":"a"}}'),
    ({"if": {"minLength": 2}, "then": {"pattern": "b"}}, '{"if":{"minLength":2},"then":{"pattern":"b"}}'),
    ({"allOf": [{"not": {"const": "a"}}, {"not": {"const": "b"}}]}, '{"not":{"const":"a"}}, {"not":{"const":"b"}}'),
    ({"allOf": [{"anyOf": [{"minLength": 1}, {"minLength": 2}]}, {"not": {"const": "a"}}]}, '{"not":{"const":"a"}}'),
]


@pytest.mark.parametrize(("condition", "words"), CONDITIONS)
def test_conditions_are_words_in_tools_and_refused_in_answers(condition: dict[str, Any], words: str) -> None:
    """One tool of an MCP server with such a schema would cost an agent all of its tools."""
    schema = an_object(x={**TEXT, "description": "Что.", **condition})
    wanted = ResponseFormat("json_schema", "n", json.dumps(schema).encode())

    assert in_a_tool(schema)["properties"]["x"] == TEXT | {"description": f"Что. Conditions: {words}"}
    assert refused("gigachat", ask(response_format=wanted))[0] is ErrorReason.UNSUPPORTED_PARAMETER


@pytest.mark.parametrize("more", [{"propertyNames": {"pattern": "x"}}, {"not": {"required": ["a"]}}, {"conditions": 5}])
def test_arguments_come_back_as_meant_whatever_the_conditions(more: dict[str, Any]) -> None:
    """What is only told in words is in nobody's way."""
    schema = an_object(x={"enum": [1, 2]}) | more
    in_a_tool(schema)

    assert json.loads(arguments_as_meant('{"x":"2"}', json.dumps(schema).encode())) == {"x": 2}


def test_a_choice_of_types_is_refused_in_answers() -> None:
    """A stream cannot be turned back."""
    wanted = ResponseFormat("json_schema", "n", json.dumps(an_object(x={"type": ["string", "integer"]})).encode())

    assert refused("gigachat", ask(response_format=wanted)) == (
        ErrorReason.UNSUPPORTED_PARAMETER,
        "response_format.json_schema.schema.properties.x",
    )


def test_parameters_that_are_no_object_are_refused() -> None:
    """A function takes named arguments."""
    assert refused("gigachat", ask(tools=[Tool("f", "", b'{"type":"string"}')]))[1] == "tools[0].function.parameters"


def test_a_schema_that_unfolds_without_end_is_refused() -> None:
    """Thirty references, each twice the one before: a billion schemas, were they written out."""
    doubled = {
        f"d{at}": an_object(a={"$ref": f"#/$defs/d{at + 1}"}, b={"$ref": f"#/$defs/d{at + 1}"}) for at in range(30)
    }
    schema = an_object(x={"$ref": "#/$defs/d0"}) | {"$defs": {**doubled, "d30": TEXT}}

    assert refused("gigachat", ask(tools=[Tool("f", "", json.dumps(schema).encode())]))[0] is (
        ErrorReason.INVALID_PARAMETERS
    )


@pytest.mark.parametrize("way", ["complete", "stream"])
async def test_a_typed_agent_s_call_works_at_the_provider(adapters: Adapters, way: str) -> None:
    """Pydantic's schema of Literal[1, 2] and Optional[str], whole and streamed."""
    schema = an_object("level", level={"enum": [1, 2]}, note={"anyOf": [TEXT, {"type": "null"}], "default": None})
    asked = ask(tools=[Tool("f", "", json.dumps(schema).encode())], tool_choice=ToolChoice("required"))
    if way == "complete":
        answer = await adapters.gigachat.complete(asked, call_for("gigachat"))
        calls = list(answer.choices[0].tool_calls)
    else:
        batches = [batch async for batch in adapters.gigachat.stream(asked, call_for("gigachat"))]
        calls = [call for batch in batches for delta in batch.deltas for call in delta.tool_calls]

    (made,) = calls
    assert json.loads(made.arguments)["level"] in (1, 2)
