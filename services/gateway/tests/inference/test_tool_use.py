"""Tools as clients send them: what asks for nothing is no fault, what no provider has is named, the rest is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.inference.chat_calls import HELLO, PATH

DROPPED = "x-razvilka-dropped-params"
DESCRIBED = {"name": "n", "schema": {}, "description": "d"}
STRICT = {"provider": {"require_parameters": True}}


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **more}}


CUSTOM = {"type": "custom", "custom": {"name": "grep", "format": {"type": "text"}}}


def allowed(mode: str, *names: str) -> dict[str, Any]:
    tools = [tool(name) for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


@pytest.mark.parametrize(
    "asked",
    [
        {"functions": []},
        {"tools": []},
        {"functions": [], "function_call": "auto"},
        {"tools": [], "tool_choice": "auto"},
        {"tools": [], "tool_choice": "none"},
        {"logprobs": False},
        {"messages": [*HELLO["messages"], {"role": "assistant", "content": None, "refusal": "Нет."}]},
    ],
    ids=str,
)
async def test_what_asks_for_nothing_is_answered(edge: Edge, backends: Backends, asked: dict[str, Any]) -> None:
    """The official GigaChat SDK sends `functions: []`; nothing is named, for nothing is left out."""
    answer = await edge.client.post(PATH, json={**HELLO, **asked})

    assert answer.status_code == 200, answer.text
    assert DROPPED not in answer.headers
    (prompt,) = backends.router.prompts
    assert not prompt.tools
    assert not prompt.HasField("tool_choice")


OLDER = [{"name": "weather"}]


@pytest.mark.parametrize(
    ("asked", "param", "words"),
    [
        ({"function_call": {"name": "weather"}}, "function_call", "together with `functions`"),
        ({"functions": OLDER, "function_call": {"name": "time"}}, "function_call.name", "`functions` has no function"),
        ({"tools": [tool("weather")], "function_call": {"name": "time"}}, "function_call.name", "`tools` has no"),
        ({"functions": OLDER, "tool_choice": "required"}, None, ""),
        ({"tool_choice": "required"}, "tool_choice", "together with `tools`"),
    ],
    ids=str,
)
async def test_a_choice_is_refused_by_the_words_that_its_caller_used(
    edge: Edge, backends: Backends, asked: dict[str, Any], param: str | None, words: str
) -> None:
    """Who speaks of functions never said `tools` or `tool_choice`."""
    answer = await edge.client.post(PATH, json={**HELLO, **asked})

    error = answer.json().get("error", {"param": None, "message": ""})
    assert (error["param"], words in error["message"]) == (param, True)


async def test_a_function_that_a_provider_refuses_is_named_as_its_caller_did(edge: Edge, backends: Backends) -> None:
    """The router knows tools only."""
    text = "It cannot be said in GigaChat's subset (field `tools[0].function.parameters`)."
    reason = ErrorReason.INVALID_PARAMETERS
    backends.router.failure = InvalidRequest(reason, text, param="tools[0].function.parameters")

    answer = await edge.client.post(PATH, json={**HELLO, "functions": OLDER})

    error = answer.json()["error"]
    assert error["param"] == "functions[0].parameters"
    assert "(field `functions[0].parameters`)" in error["message"]


async def test_the_older_form_takes_no_logprobs_as_none(edge: Edge, backends: Backends) -> None:
    """`false` asks for what happens anyway."""
    answer = await edge.client.post("/v1/completions", json={"model": "yandexgpt", "prompt": "a", "logprobs": False})

    assert answer.status_code == 200, answer.text
    assert not backends.router.prompts[0].other_json


@pytest.mark.parametrize(("mode", "names"), [("auto", ["a", "c"]), ("required", ["b"])])
async def test_of_allowed_tools_the_provider_is_told_no_others(
    edge: Edge, backends: Backends, mode: str, names: list[str]
) -> None:
    """So it calls no others, whichever it is."""
    tools = [tool(name) for name in "abc"]

    answer = await edge.client.post(PATH, json={**HELLO, "tools": tools, "tool_choice": allowed(mode, *names)})

    assert answer.status_code == 200, answer.text
    (prompt,) = backends.router.prompts
    assert ([each.name for each in prompt.tools], prompt.tool_choice.mode) == (names, mode)


@pytest.mark.parametrize(
    ("asked", "told", "named"),
    [
        ({"tools": [tool("f"), CUSTOM]}, ["f"], "tools[1]"),
        ({"tools": [CUSTOM]}, [], "tools[0]"),
        ({"tools": [CUSTOM], "tool_choice": "required"}, [], "tools[0], tool_choice"),
        (
            {"tools": [CUSTOM, tool("f")], "tool_choice": {"type": "custom", "custom": {"name": "grep"}}},
            ["f"],
            "tools[0], tool_choice",
        ),
        ({"stream": True, "stream_options": {"include_obfuscation": True}}, [], "stream_options.include_obfuscation"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": {}, "description": "d"},
                }
            },
            [],
            "response_format.json_schema.description",
        ),
    ],
    ids=str,
)
async def test_what_no_provider_has_is_named(
    edge: Edge, backends: Backends, asked: dict[str, Any], told: list[str], named: str
) -> None:
    """And fatal only where every parameter must count, by its name."""
    answer = await edge.client.post(PATH, json={**HELLO, **asked})
    refused = await edge.client.post(PATH, json={**HELLO, **asked, **STRICT})

    assert (answer.status_code, answer.headers.get(DROPPED)) == (200, named)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, named.split(", ")[0])
    assert refused.json()["error"]["code"] == "unsupported_parameter"
    (prompt,) = backends.router.prompts
    assert [each.name for each in prompt.tools] == told


async def test_a_call_of_a_custom_tool_in_the_history_is_told_as_one_of_a_function(
    edge: Edge, backends: Backends
) -> None:
    """A conversation that began elsewhere goes on here."""
    call = {"id": "call_1", "type": "custom", "custom": {"name": "grep", "input": "кто там"}}
    turns = [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "call_1", "content": "1"}]

    answer = await edge.client.post(PATH, json={**HELLO, "messages": [*HELLO["messages"], *turns]})

    assert answer.status_code == 200, answer.text
    (told,) = backends.router.prompts[0].messages[-2].tool_calls
    assert (told.name, json.loads(told.arguments)) == ("grep", {"input": "кто там"})


async def test_the_router_is_told_that_every_parameter_must_count(edge: Edge, backends: Backends) -> None:
    """Chats, the older form and vectors: it knows what its providers can."""
    await edge.client.post(PATH, json={**HELLO, **STRICT})
    await edge.client.post("/v1/completions", json={"model": "yandexgpt", "prompt": "a", **STRICT})
    await edge.client.post("/v1/embeddings", json={"model": "text-embeddings", "input": "a", **STRICT})
    await edge.client.post(PATH, json=HELLO)

    assert [prompt.require_parameters for prompt in backends.router.prompts] == [True, True, False]
    assert [request.require_parameters for request in backends.router.embeds] == [True]


@pytest.mark.parametrize("path", [PATH, "/v1/completions", "/v1/embeddings"])
async def test_a_typo_is_fatal_where_every_parameter_must_count(edge: Edge, path: str) -> None:
    """On every paid route."""
    body = {PATH: HELLO, "/v1/completions": {"model": "yandexgpt", "prompt": "a"}}.get(
        path, {"model": "text-embeddings", "input": "a"}
    )

    answer = await edge.client.post(path, json={**body, **STRICT, "temprature": 1})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "temprature")


async def test_what_only_gigachat_knows_of_a_function_reaches_the_router(edge: Edge, backends: Backends) -> None:
    """It was left out without a word."""
    own = {"few_shot_examples": [{"request": "a", "params": {}}], "return_parameters": {"type": "object"}}

    await edge.client.post(PATH, json={**HELLO, "tools": [tool("f", **own)]})

    told = backends.router.prompts[0].tools[0].other_json
    assert {name: json.loads(raw) for name, raw in told.items()} == own


async def test_whose_request_it_is_reaches_the_router(edge: Edge, backends: Backends) -> None:
    """What is kept between requests is told apart by it."""
    await edge.client.post(PATH, json=HELLO)

    assert (backends.router.prompts[0].tenant, backends.router.prompts[0].tier) == ("user-1", "pro")
