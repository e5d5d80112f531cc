"""A parameter is passed, mapped or named; what a model lists counts; what asks for nothing is refused nowhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from servicekit.errors import ErrorReason, ServiceError
from services.router.domain.catalog import Model
from services.router.domain.completion import EmbeddingInput, Prompt, ResponseFormat, Tool, ToolChoice
from services.router.providers.provider import ProviderCall
from services.router.routing.answers import streamed, whole
from services.router.tests.adapters import CATALOG, Adapters, ask, call_for, model, obtain
from services.router.tests.providers.bodies import body, refused

SCHEMA = b'{"type":"object","properties":{"camp":{"type":"string"}}}'
CAMP = Tool("camp", "", SCHEMA)
TAUGHT = Tool("f", "", SCHEMA, None, {"few_shot_examples": b"[]"})
# What says each parameter to the router; those of the edge (`messages`, `stream`) need no more than being asked.
SAID: dict[str, dict[str, Any]] = {
    "messages": {},
    "stream": {},
    "stream_options": {},
    "max_tokens": {"max_tokens": 50},
    "max_completion_tokens": {"max_tokens": 50},
    "temperature": {"temperature": 0.5},
    "top_p": {"top_p": 0.5},
    "stop": {"stop": ["стоп"]},
    "n": {"n": 2},
    "tools": {"tools": [CAMP]},
    "tool_choice": {"tools": [CAMP], "tool_choice": ToolChoice("required")},
    "parallel_tool_calls": {"tools": [CAMP], "parallel_tool_calls": False},
    "response_format": {"response_format": ResponseFormat("json_schema", "n", SCHEMA, True)},
    "reasoning_effort": {"reasoning_effort": "high"},
    "repetition_penalty": {"other_json": {"repetition_penalty": b"1.1"}},
    "update_interval": {"other_json": {"update_interval": b"0.1"}},
    "profanity_check": {"other_json": {"profanity_check": b"true"}},
    "function_ranker": {"other_json": {"function_ranker": b'{"enabled":true,"top_n":3}'}},
    "flags": {"other_json": {"flags": b'["preprocess"]'}},
    "prompt_cache_key": {"other_json": {"prompt_cache_key": b'"agent"'}},
}
NOW = datetime(2026, 11, 28, tzinfo=UTC)
SERVED = [each for each in CATALOG.models if each.provider in ("yandexgpt", "gigachat") and each.is_served(NOW)]
CHAT = [(each, name) for each in SERVED if each.kind == "chat" for name in each.supported_parameters]


@pytest.mark.parametrize(("asked", "name"), CHAT, ids=[f"{each.id}-{name}" for each, name in CHAT])
async def test_every_parameter_that_a_chat_model_lists_counts(adapters: Adapters, asked: Model, name: str) -> None:
    """Required to count: neither left out nor clamped, by the model that says so, plain and streamed."""
    prompt = ask("[[text:да]]", require_parameters=True, **SAID[name])
    provider = adapters.of(asked.provider)

    plain, call = ProviderCall(asked, "r", {}), ProviderCall(asked, "r", {})

    answer = await whole(provider, prompt, plain)
    batches = [batch async for batch in streamed(provider, prompt, call)]

    assert answer.choices
    assert batches
    assert plain.dropped == call.dropped == []


@pytest.mark.parametrize("asked", [each for each in SERVED if each.kind == "embedding"], ids=lambda each: each.id)
async def test_every_parameter_that_an_embedding_model_lists_counts(adapters: Adapters, asked: Model) -> None:
    """`dimensions` changes the vectors of those that list it, and is refused by those that do not."""
    call = ProviderCall(asked, "r", {})
    texts = EmbeddingInput("", ["раз"], 512, require_parameters=True)

    if "dimensions" in asked.supported_parameters:
        made = await adapters.of(asked.provider).embed(texts, call)
        assert [len(vector) for vector in made.values] == [512]
    else:
        with pytest.raises(ServiceError) as caught:
            await adapters.of(asked.provider).embed(texts, call)
        assert (caught.value.reason, caught.value.param) == (ErrorReason.UNSUPPORTED_PARAMETER, "dimensions")
        assert "vectors of " in caught.value.message
    assert call.dropped == []


@pytest.mark.parametrize("asked", [each for each in SERVED if each.kind == "embedding"], ids=lambda each: each.id)
async def test_the_size_that_a_model_has_anyway_is_not_refused(adapters: Adapters, asked: Model) -> None:
    """mem0 names it always."""
    provider = adapters.of(asked.provider)
    size = len((await provider.embed(EmbeddingInput("", ["раз"]), ProviderCall(asked, "r", {}))).values[0])

    made = await provider.embed(EmbeddingInput("", ["раз"], size), ProviderCall(asked, "r", {}))

    assert len(made.values[0]) == size
    assert asked.dimensions in (0, size)


LEFT_OUT: list[tuple[str, dict[str, Any], str]] = [
    ("native", {"top_p": 0.5}, "top_p"),
    ("native", {"temperature": 1.7}, "temperature"),
    ("native", {"other_json": {"top_k": b"5"}}, "top_k"),
    ("native", {"tools": [TAUGHT]}, "tools[].function.few_shot_examples"),
    ("v1", {"other_json": {"top_k": b"5"}}, "top_k"),
    ("v1", {"other_json": {"logprobs": b"true"}}, "logprobs"),
    ("gigachat", {"other_json": {"seed": b"5"}}, "seed"),
    ("gigachat", {"temperature": 2.5}, "temperature"),
    ("upstream", {"other_json": {"logprobs": b"true"}}, "logprobs"),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "fields", "param"), LEFT_OUT, ids=[f"{row[0]}-{row[2]}" for row in LEFT_OUT])
@pytest.mark.parametrize("stream", [False, True])
async def test_what_would_be_left_out_is_refused_where_every_parameter_must_count(
    adapters: Adapters, dialect: str, fields: dict[str, Any], param: str, stream: bool
) -> None:
    """By its name, before the provider is asked; without that wish it is named."""
    provider = adapters.of({"native": "yandexgpt", "v1": "yandexgpt"}.get(dialect, dialect))
    prompt, call = ask(require_parameters=True, **fields), call_for(dialect)

    with pytest.raises(ServiceError) as caught:
        await obtain(provider, prompt, call, stream=stream)

    assert (caught.value.reason, caught.value.param) == (ErrorReason.UNSUPPORTED_PARAMETER, param)
    _, dropped = body(dialect, ask(**fields))
    assert [name.partition("=")[0] for name in dropped] == [param]


@pytest.mark.parametrize(
    ("dialect", "effort", "sent", "named"),
    [
        ("native", "ultra", "ENABLED_HIDDEN", ["reasoning_effort=high"]),
        ("native", "xhigh", "ENABLED_HIDDEN", []),
        ("gigachat", "ultra", "high", ["reasoning_effort=high"]),
        ("gigachat", "minimal", "low", ["reasoning_effort=low"]),
        ("gigachat", "medium", "medium", []),
        ("v1", "xhigh", "high", ["reasoning_effort=high"]),
        ("v1", "none", "none", []),
        ("upstream", "ultra", "ultra", []),
    ],
)
def test_an_effort_that_the_provider_does_not_know_becomes_the_nearest(
    dialect: str, effort: str, sent: str, named: list[str]
) -> None:
    """OpenAI adds words; a request with a new one is answered, and told what became of it."""
    made, dropped = body(dialect, ask(reasoning_effort=effort), features=frozenset({"reasoning"}))

    options = made.get("completionOptions", {}).get("reasoningOptions", {})
    assert made.get("reasoning_effort", options.get("mode")) == sent
    assert dropped == named


def test_gigachat_is_told_what_only_it_knows_of_a_function() -> None:
    """Examples of calls, and the schema of the result."""
    own = {"few_shot_examples": b'[{"request":"a","params":{}}]', "return_parameters": b'{"type":"object"}'}
    made, dropped = body("gigachat", ask(tools=[Tool("f", "", SCHEMA, None, own)]))

    assert made["functions"][0]["few_shot_examples"] == [{"request": "a", "params": {}}]
    assert made["functions"][0]["return_parameters"] == {"type": "object"}
    assert dropped == []


def test_sound_is_refused_by_everybody() -> None:
    """No answer of ours carries it, whoever makes it."""
    for name, raw in {"audio": b'{"voice":"x"}', "modalities": b'["text","audio"]'}.items():
        prompt: Prompt = ask(other_json={name: raw})
        assert refused("upstream", prompt) == (ErrorReason.UNSUPPORTED_PARAMETER, name)


async def test_an_upstream_is_told_who_asks_for_vectors(adapters: Adapters) -> None:
    """`user` was left out without a word."""
    upstream = model("toy-large")
    call = ProviderCall(upstream, "r", {})

    made = await adapters.openai.embed(EmbeddingInput("", ["раз"], None, {"user": b'"u"'}), call)

    assert len(made.values) == 1
    assert call.dropped == []
