"""Every row of the mapping: what each OpenAI parameter becomes at each provider, and what is dropped or refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from servicekit.errors import ErrorReason
from services.router.domain.completion import (
    ContentPart,
    Message,
    ResponseFormat,
    Role,
    Tool,
    ToolChoice,
)
from services.router.providers.json_body import encode_body
from services.router.providers.openai_dialect.request import OpenAIRequests
from services.router.providers.yandexgpt.quirks import QUIRKS
from services.router.providers.yandexgpt.request import native_body
from services.router.tests.adapters import IDS, MODELS, ask, model
from services.router.tests.providers.bodies import AUDIO, FILE, IMAGE, URI, body, parts, refused

SCHEMA = b'{"type":"object","properties":{"camp":{"type":"string"}},"required":["camp"]}'
CAMP = Tool("camp_distance", "how far", SCHEMA, True)
OTHER = Tool("weather", "", b"")


GIVEN: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    # parameter, prompt fields, dialect, what the body holds
    ("model", {}, "native", {"modelUri": URI}),
    ("model", {}, "gigachat", {"model": "GigaChat-2-Max"}),
    ("temperature", {"temperature": 0.5}, "native", {"completionOptions": {"stream": False, "temperature": 0.5}}),
    ("temperature 0", {"temperature": 0.0}, "native", {"completionOptions": {"stream": False, "temperature": 0.0}}),
    ("temperature", {"temperature": 0.5}, "gigachat", {"temperature": 0.5}),
    ("temperature 0", {"temperature": 0.0}, "gigachat", {"top_p": 0, "temperature": None}),
    ("top_p", {"top_p": 0.4}, "gigachat", {"top_p": 0.4}),
    ("max_tokens", {"max_tokens": 7}, "native", {"completionOptions": {"stream": False, "maxTokens": "7"}}),
    ("max_tokens", {"max_tokens": 7}, "gigachat", {"max_tokens": 7}),
    ("max_tokens", {"max_tokens": 7}, "upstream", {"max_tokens": 7}),
    ("json_object", {"response_format": ResponseFormat("json_object")}, "native", {"jsonObject": True}),
    ("text", {"response_format": ResponseFormat("text")}, "native", {"jsonObject": None, "jsonSchema": None}),
    (
        "json_schema",
        {"response_format": ResponseFormat("json_schema", "n", SCHEMA, True)},
        "native",
        {"jsonSchema": {"schema": json.loads(SCHEMA)}},
    ),
    (
        "json_schema",
        {"response_format": ResponseFormat("json_schema", "n", SCHEMA, True)},
        "gigachat",
        {"response_format": {"type": "json_schema", "schema": json.loads(SCHEMA), "strict": True}},
    ),
    (
        "tools",
        {"tools": [CAMP]},
        "native",
        {"tools": [{"function": {"name": "camp_distance", "description": "how far", "parameters": json.loads(SCHEMA),
                                 "strict": True}}]},
    ),
    (
        "tools without properties",
        {"tools": [OTHER]},
        "gigachat",
        {"functions": [{"name": "weather", "parameters": {"type": "object", "properties": {}}}],
         "function_call": "auto"},
    ),
    ("tool_choice none", {"tools": [CAMP], "tool_choice": ToolChoice("none")}, "native",
     {"toolChoice": {"mode": "NONE"}}),
    ("tool_choice auto", {"tools": [CAMP], "tool_choice": ToolChoice("auto")}, "native",
     {"toolChoice": {"mode": "AUTO"}}),
    (
        "tool_choice required",
        {"tools": [CAMP], "tool_choice": ToolChoice("required")},
        "native",
        {"toolChoice": {"mode": "REQUIRED"}},
    ),
    (
        "tool_choice function",
        {"tools": [CAMP], "tool_choice": ToolChoice("function", "camp_distance")},
        "native",
        {"toolChoice": {"functionName": "camp_distance"}},
    ),
    ("tool_choice none", {"tools": [CAMP], "tool_choice": ToolChoice("none")}, "gigachat", {"function_call": "none"}),
    ("tool_choice auto", {"tools": [CAMP], "tool_choice": ToolChoice("auto")}, "gigachat", {"function_call": "auto"}),
    (
        "tool_choice required, one tool",
        {"tools": [CAMP], "tool_choice": ToolChoice("required")},
        "gigachat",
        {"function_call": {"name": "camp_distance"}},
    ),
    (
        "tool_choice function",
        {"tools": [CAMP, OTHER], "tool_choice": ToolChoice("function", "weather")},
        "gigachat",
        {"function_call": {"name": "weather"}},
    ),
    (
        "parallel_tool_calls",
        {"tools": [CAMP], "parallel_tool_calls": False},
        "native",
        {"parallelToolCalls": False},
    ),
    (
        "reasoning_effort",
        {"reasoning_effort": "high"},
        "native",
        {"completionOptions": {"stream": False, "reasoningOptions": {"mode": "ENABLED_HIDDEN"}}},
    ),
    (
        "reasoning_effort none",
        {"reasoning_effort": "none"},
        "native",
        {"completionOptions": {"stream": False, "reasoningOptions": {"mode": "DISABLED"}}},
    ),
    ("own parameter", {"other_json": {"repetition_penalty": b"1.1"}}, "gigachat", {"repetition_penalty": 1.1}),
    ("unknown parameter", {"other_json": {"top_k": b"5"}}, "upstream", {"top_k": 5}),
    ("seed", {"other_json": {"seed": b"5"}}, "upstream", {"seed": 5}),
    ("stop", {"stop": ["x"]}, "upstream", {"stop": ["x"]}),
    ("stop", {"stop": [*"abcde"]}, "upstream", {"stop": [*"abcd"]}),
    ("stop", {"stop": ["x"]}, "v1", {"stop": None}),
    ("n", {"n": 2}, "upstream", {"n": 2}),
    ("n", {"n": 2}, "v1", {"n": None}),
    ("parts", {"messages": parts(ContentPart("text", "a"), ContentPart("text", "b"))}, "native",
     {"messages": [{"role": "user", "text": "a\nb"}]}),
    ("parts", {"messages": parts(ContentPart("text", "a"), ContentPart("text", "b"))}, "gigachat",
     {"messages": [{"role": "user", "content": "a\nb"}]}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "fields", "dialect", "wanted"), GIVEN, ids=[f"{r[2]}-{r[0]}" for r in GIVEN])
def test_parameters_are_mapped(what: str, fields: dict[str, Any], dialect: str, wanted: dict[str, Any]) -> None:
    """Pass, map, clamp; None in a row: the field is absent."""
    target = replace(MODELS[dialect], features=MODELS[dialect].features | {"reasoning"})
    prompt = ask(**fields)
    dropped: list[str] = []
    if dialect == "native":
        made = msgspec.json.decode(encode_body(native_body(prompt, target, URI, IDS, dropped, stream=False)))
    else:
        made, dropped = body(dialect, prompt)

    assert {name: made.get(name) for name in wanted} == wanted
    assert dropped == []


QUALITY = {"seed": b"7", "user": b'"u"', "store": b"true", "service_tier": b'"auto"',
           "prediction": b'{"type":"content"}', "modalities": b'["text"]'}  # fmt: skip
DROPPED: list[tuple[str, dict[str, Any], list[str]]] = [
    ("native", {"top_p": 0.4}, ["top_p"]),
    ("native", {"other_json": QUALITY}, list(QUALITY)),
    ("native", {"other_json": {"frequency_penalty": b"0.5", "presence_penalty": b"-1"}},
     ["frequency_penalty", "presence_penalty"]),
    ("native", {"messages": [Message(Role.USER, "a", name="bob")]}, ["messages[].name"]),
    (
        "native",
        {"messages": [Message(Role.USER, "a"), Message(Role.ASSISTANT, "b", reasoning_content="c")]},
        ["messages[].reasoning_content"],
    ),
    ("gigachat", {"other_json": QUALITY}, list(QUALITY)),
    ("gigachat", {"other_json": {"frequency_penalty": b"0.5", "presence_penalty": b"-1"}},
     ["frequency_penalty", "presence_penalty"]),
    # One call at most is what it makes.
    ("gigachat", {"tools": [CAMP], "parallel_tool_calls": False}, []),
    ("gigachat", {"tools": [CAMP], "parallel_tool_calls": True}, ["parallel_tool_calls"]),
    ("gigachat", {"reasoning_effort": "low"}, ["reasoning_effort"]),
    ("gigachat", {"messages": [Message(Role.USER, "a", name="bob")]}, ["messages[].name"]),
    (
        "gigachat",
        {"messages": [Message(Role.USER, "a"), Message(Role.ASSISTANT, "b", reasoning_content="c")]},
        ["messages[].reasoning_content"],
    ),
    ("v1", {"reasoning_effort": "low"}, ["reasoning_effort"]),
    ("v1", {"other_json": QUALITY}, list(QUALITY)),
    ("native", {"other_json": {"top_k": b"3"}}, ["top_k"]),
    ("native", {"other_json": {"logprobs": b"true", "top_logprobs": b"2"}}, ["logprobs", "top_logprobs"]),
    ("gigachat", {"other_json": {"logprobs": b"true", "top_logprobs": b"2"}}, ["logprobs", "top_logprobs"]),
    # Asked for in words, and looked at: it is named only where the model did not obey.
    ("gigachat", {"tools": [CAMP, OTHER], "tool_choice": ToolChoice("required")}, []),
    # The gateway keeps it with the usage row, so nothing is left undone.
    ("native", {"other_json": {"metadata": b'{"a":"b"}'}}, []),
    ("gigachat", {"other_json": {"metadata": b'{"a":"b"}'}}, []),
    ("v1", {"other_json": {"metadata": b'{"a":"b"}'}}, []),
    # What asks for nothing is not worth naming.
    ("native", {"other_json": {"frequency_penalty": b"0"}}, []),
    ("native", {"other_json": {"seed": b"null", "logprobs": b"false", "logit_bias": b"{}"}}, []),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "fields", "dropped"), DROPPED)
def test_what_shapes_quality_only_is_dropped_and_named(
    dialect: str, fields: dict[str, Any], dropped: list[str]
) -> None:
    """A dropped parameter is never silent."""
    made, named = body(dialect, ask(**fields))

    assert named == dropped
    assert not set(made) & set(dropped)


@pytest.mark.parametrize(
    ("dialect", "asked", "sent", "named"),
    [
        ("native", 1.7, 1.0, ["temperature=1"]),
        ("v1", 1.7, 1.0, ["temperature=1"]),
        ("gigachat", 2.5, 2.0, ["temperature=2"]),
        ("native", 1.0, 1.0, []),
        ("v1", 0.3, 0.3, []),
        ("gigachat", 1.7, 1.7, []),
        ("upstream", 1.7, 1.7, []),
    ],
)
def test_a_clamped_value_is_named_with_what_it_became(
    dialect: str, asked: float, sent: float, named: list[str]
) -> None:
    """Yandex ends at 1, GigaChat at 2: never silently."""
    made, dropped = body(dialect, ask(temperature=asked))

    assert made.get("completionOptions", made)["temperature"] == sent
    assert dropped == named


def test_reasoning_is_dropped_where_the_model_cannot() -> None:
    """Pro 5.1 and Lite have none."""
    dropped: list[str] = []
    native_body(ask(reasoning_effort="high"), model("yandexgpt-lite"), URI, IDS, dropped, stream=False)

    assert dropped == ["reasoning_effort"]


REJECTED: list[tuple[str, dict[str, Any], str]] = [
    *(
        (dialect, {"other_json": {name: value}}, name)
        for dialect in ("native", "gigachat")
        for name, value in {
            "logit_bias": b'{"50256":-100}', "audio": b'{"voice":"x"}',
            "web_search_options": b'{"a":1}', "modalities": b'["text","audio"]',
        }.items()
    ),
    ("v1", {"other_json": {"audio": b'{"voice":"x"}'}}, "audio"),
    ("v1", {"other_json": {"web_search_options": b'{"a":1}'}}, "web_search_options"),
    ("v1", {"other_json": {"modalities": b'["audio"]'}}, "modalities"),
    ("native", {"messages": parts(IMAGE)}, "messages[0].content[0].type"),
    ("native", {"messages": parts(AUDIO)}, "messages[0].content[0].type"),
    ("native", {"messages": parts(FILE)}, "messages[0].content[0].type"),
    ("v1", {"messages": parts(IMAGE)}, "messages[0].content[0].type"),
    ("v1", {"messages": parts(AUDIO)}, "messages[0].content[0].type"),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "fields", "param"), REJECTED)
def test_what_changes_the_meaning_is_refused(dialect: str, fields: dict[str, Any], param: str) -> None:
    """With the reason and the field's name."""
    assert refused(dialect, ask(**fields)) == (ErrorReason.UNSUPPORTED_PARAMETER, param)


def test_v1_takes_images_where_the_model_sees() -> None:
    """Vision models live on /v1."""
    seeing = model("qwen3.6-35b-a3b")
    made = OpenAIRequests("v1", IDS, QUIRKS).body(
        ask(messages=parts(ContentPart("text", "что это?"), IMAGE)), seeing, URI, [], stream=False
    )

    content = msgspec.json.decode(made)["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url"]


@pytest.mark.parametrize("raw", [b"{", b"[1]", b"NaN", b'"x"'])
@pytest.mark.parametrize("dialect", list(MODELS))
def test_schemas_that_are_no_objects_are_refused(dialect: str, raw: bytes) -> None:
    """Also not valid JSON at all."""
    reason, param = refused(dialect, ask(tools=[Tool("f", "", raw)]))

    assert (reason, param) == (ErrorReason.INVALID_PARAMETERS, "tools[0].function.parameters")


@pytest.mark.parametrize("dialect", list(MODELS))
def test_lone_surrogates_are_refused(dialect: str) -> None:
    """They are no Unicode and cannot be sent."""
    assert refused(dialect, ask("\ud800"))[0] is ErrorReason.INVALID_PARAMETERS
