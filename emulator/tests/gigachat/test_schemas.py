"""GigaChat judges schemas at every depth, in functions and in response_format."""

from typing import Any

import pytest

from emulator.tests.conftest import Ask

TEXT = {"type": "string"}


def an_object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


REFUSED = [
    (an_object(x={"anyOf": [TEXT, {"type": "null"}]}), "Field 'properties.x.anyOf' is not supported"),
    (an_object(x={"oneOf": [TEXT]}), "Field 'properties.x.oneOf' is not supported"),
    (an_object(x={"allOf": [TEXT]}), "Field 'properties.x.allOf' is not supported"),
    (an_object(x={"$ref": "#/$defs/Camp"}) | {"$defs": {"Camp": TEXT}}, "Field '$defs' is not supported"),
    (an_object(x={"$ref": "#"}), "Field 'properties.x.$ref' is not supported"),
    (an_object(x={"type": ["string", "null"]}), "Field 'properties.x.type' must be one of string"),
    (an_object(x={"type": "null"}), "Field 'properties.x.type' must be one of string"),
    (an_object(x={"type": "integer", "enum": [1, 2]}), "Field 'properties.x.enum' must be a list of strings"),
    (an_object(x={"type": "integer", "const": 1}), "Field 'properties.x.const' must be a string"),
    (an_object(x={"type": "string", "format": "uuid"}), "Field 'properties.x.format' must be one of date, date-time"),
    (an_object(x={"description": "что угодно"}), "Field 'properties.x.type' is missing"),
    (an_object(x={"type": "array"}), "Field 'properties.x.items' is missing"),
    (an_object(x=True), "Field 'properties.x' must be an object"),
    (an_object(data={"type": "object"}), "Field 'properties.data.properties' is missing"),
    (an_object(data={"type": "object", "additionalProperties": TEXT}), "Field 'properties.data.properties' is missing"),
    (an_object() | {"additionalProperties": {"type": ["string"]}}, "Field 'additionalProperties.type' must be one of"),
    (
        an_object(a={"type": "array", "items": an_object(b={"type": "array", "items": {"anyOf": [TEXT]}})}),
        "Field 'properties.a.items.properties.b.items.anyOf' is not supported",
    ),
    (an_object(a={"type": "array", "items": {}}), "Field 'properties.a.items.type' is missing"),
    ({"anyOf": []}, "Field 'anyOf' is not supported"),
]


@pytest.mark.parametrize(("schema", "message"), REFUSED, ids=[message for _, message in REFUSED])
async def test_a_schema_is_refused_wherever_it_stands(ask_gigachat: Ask, schema: dict[str, Any], message: str) -> None:
    """The same rules hold for parameters, results and answers, and the message names the field."""
    functions = [{"name": "f", "parameters": schema}]
    results = [{"name": "f", "parameters": an_object(), "return_parameters": schema}]
    response_format = {"type": "json_schema", "schema": schema}

    asked = await ask_gigachat("привет", functions=functions)
    returned = await ask_gigachat("привет", functions=results)
    answered = await ask_gigachat("привет", response_format=response_format)

    assert [status for status, _ in (asked, returned, answered)] == [422, 422, 422]
    assert asked[1]["message"].startswith(message)
    assert returned[1]["message"].startswith(message)
    assert answered[1]["message"].startswith(message.replace("Field '", "Field 'response_format.schema."))


async def test_v2_has_the_same_rules(ask_gigachat: Ask) -> None:
    """Specifications and model_options.response_format are judged as in v1."""
    messages = [{"role": "user", "content": [{"text": "привет"}]}]
    schema = an_object(x={"anyOf": [TEXT]})
    tools = [{"functions": {"specifications": [{"name": "f", "parameters": schema}]}}]
    options = {"response_format": {"type": "json_schema", "schema": schema}}

    asked, _ = await ask_gigachat("", path="/v2/chat/completions", messages=messages, tools=tools)
    answered, _ = await ask_gigachat("", path="/v2/chat/completions", messages=messages, model_options=options)

    assert (asked, answered) == (422, 422)


async def test_what_the_subset_has_is_taken(ask_gigachat: Ask) -> None:
    """Descriptions, string enums, formats of time, bounds and nested objects pass."""
    day = {"type": "string", "format": "date", "description": "день"}
    kind = {"type": "string", "enum": ["лес", "река"]}
    camp = an_object(day=day, kind=kind, open={"type": "boolean"}) | {"required": ["day"]}
    schema = an_object(camps={"type": "array", "items": camp}, metres={"type": "integer", "format": "int32"})

    status, body = await ask_gigachat(
        "привет", functions=[{"name": "f", "parameters": schema}], function_call={"name": "f"}
    )

    assert status == 200
    assert set(body["choices"][0]["message"]["function_call"]["arguments"]) == {"camps", "metres"}


async def test_a_function_too_large_has_its_own_413(ask_gigachat: Ask) -> None:
    """Its words speak of an index, not of the messages."""
    small = {"name": "f", "parameters": an_object()}
    large = {"name": "g", "description": "слово " * 4_400, "parameters": an_object()}

    status, body = await ask_gigachat("привет", functions=[small, large])

    assert status == 413
    assert body["message"].startswith("Tokens limit exceeded for index 1: 44")
    assert body["message"].endswith("(max 4096)")


@pytest.mark.parametrize(("name", "status"), [("camp_7", 200), ("get-weather", 422), ("7days", 422), ("лагерь", 422)])
async def test_names_of_functions_have_latin_letters(ask_gigachat: Ask, name: str, status: int) -> None:
    """As the documentation says; underscores stand in its own samples."""
    got, _ = await ask_gigachat("привет", functions=[{"name": name, "parameters": an_object()}])

    assert got == status
