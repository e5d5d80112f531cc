"""Random schemas and nonsense: in GigaChat's subset or refused by name, and arguments come back as they were meant."""

from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from emulator.gigachat.schema_rules import check_schema
from servicekit.errors import ServiceError
from services.router.domain.completion import Tool, ToolCall
from services.router.providers.gigachat.schemas.reducer import reduced
from services.router.providers.gigachat.tool_arguments import arguments_as_meant, turn_back
from services.router.tests.providers.bodies import an_object

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["a", "b", "1", "null"]))


NAMES = st.sampled_from(["a", "b", "type", "items"])


LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.booleans(),
    st.just({}),
    st.just({"$ref": "#/$defs/D"}),
    st.builds(lambda kind: {"type": kind}, st.sampled_from(
        ["string", "integer", "number", "boolean", "null", "object", "array", ["string", "null"], ["integer", "array"]]
    )),
    st.builds(lambda values: {"enum": values}, st.lists(SCALARS, min_size=1, max_size=3)),
    st.builds(lambda value: {"const": value}, SCALARS),
    st.builds(lambda name: {"type": "string", "format": name}, st.sampled_from(["date", "uri", "email"])),
)  # fmt: skip


def _grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    properties = st.dictionaries(NAMES, inner, max_size=3)
    return st.one_of(
        st.builds(lambda parts: {"anyOf": parts}, several),
        st.builds(lambda parts: {"oneOf": parts, "description": "x"}, several),
        st.builds(lambda parts: {"allOf": parts}, several),
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda items: {"type": "array", "prefixItems": items}, several),
        st.builds(lambda other: {"type": "object", "additionalProperties": other}, inner),
        st.builds(lambda names, need: {"type": "object", "properties": names, "required": need}, properties,
                  st.lists(NAMES, unique=True, max_size=2)),
    )  # fmt: skip


SCHEMAS = st.recursive(LEAVES, _grown, max_leaves=8)


DEFINITIONS = st.fixed_dictionaries({"D": SCHEMAS})


@given(SCHEMAS, DEFINITIONS)
def test_every_schema_is_in_the_subset_or_refused_by_name(schema: Any, definitions: dict[str, Any]) -> None:
    """Whatever combines with whatever."""
    whole = an_object(x=schema) | {"$defs": definitions}
    for is_turned_back in (True, False):
        try:
            made = reduced(whole, "here", is_turned_back=is_turned_back)
        except ServiceError as exc:
            param = exc.param or ""
            assert param.startswith("here"), param
        else:
            check_schema(made)


KEYWORDS = st.sampled_from(
    ["type", "properties", "required", "items", "enum", "const", "anyOf", "allOf", "oneOf", "$ref", "not", "format",
     "description", "additionalProperties", "patternProperties", "prefixItems", "nullable", "$defs", "minimum", "if",
     "propertyNames", "conditions"]
)  # fmt: skip


JUNK: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.sampled_from(["string", "object", "#", "#/x", ""])),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYWORDS, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(KEYWORDS, JUNK, max_size=4), JUNK)
def test_nonsense_is_refused_by_name_or_said(schema: dict[str, Any], value: Any) -> None:
    """A keyword may hold anything: no crash, neither on the way out nor on the way back."""
    for is_turned_back in (True, False):
        try:
            made = reduced(schema, "here", is_turned_back=is_turned_back)
        except ServiceError as exc:
            param = exc.param or ""
            assert param.startswith("here"), param
        else:
            check_schema(made)
    told = {"x": value}
    assert set(json.loads(arguments_as_meant(json.dumps(told), json.dumps(schema).encode()))) >= set(told)


@given(SCHEMAS, DEFINITIONS, st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2)
       | st.dictionaries(NAMES, inner, max_size=2), max_leaves=4))  # fmt: skip
def test_arguments_that_fit_the_caller_s_schema_are_left_alone(
    schema: Any, definitions: dict[str, Any], value: Any
) -> None:
    """Turning back never breaks what was right: a value that fitted still fits."""
    whole = an_object(x=schema) | {"$defs": definitions}
    try:
        reduced(whole, "here", is_turned_back=True)
        fits = jsonschema.Draft202012Validator(whole).is_valid({"x": value})
    except (ServiceError, RecursionError):
        return
    if fits:
        meant = json.loads(arguments_as_meant(json.dumps({"x": value}), json.dumps(whole).encode()))
        assert jsonschema.Draft202012Validator(whole).is_valid(meant), meant


@given(st.lists(SCALARS.filter(lambda value: value is not None), min_size=1, max_size=4))
def test_every_value_of_an_enum_comes_back(values: list[Any]) -> None:
    """As itself, type and all, unless a text of the same enum looks the same."""
    schema = {"enum": values}
    told = reduced(an_object(x=schema), "here", is_turned_back=True)["properties"]["x"]
    texts = [value for value in values if isinstance(value, str)]
    for value in values:
        text = value if isinstance(value, str) else json.dumps(value)
        if "enum" in told and text not in texts:
            assert text in told["enum"]
            meant = json.loads(arguments_as_meant(json.dumps({"x": text}), json.dumps(an_object(x=schema)).encode()))
            assert (meant["x"], type(meant["x"])) == (value, type(value))


def test_calls_of_unknown_tools_are_left_alone() -> None:
    """The model may make a name up."""
    calls = [ToolCall("1", "nobody", '{"x":"1"}')]
    turn_back(calls, [Tool("f", "", json.dumps(an_object(x={"enum": [1]})).encode())])

    assert calls[0].arguments == '{"x":"1"}'
