"""Yandex's OpenAI-compatible surface in its three dialects."""

from typing import Any

import aiohttp
import pytest

from emulator.testing import YANDEX_API_KEY, YANDEX_FOLDER, RunningEmulator
from emulator.tests.asking import sse
from emulator.tests.conftest import Ask

TOOLS = [
    {
        "type": "function",
        "function": {"name": "camp", "parameters": {"type": "object", "properties": {"id": {"type": "integer"}}}},
    }
]


async def test_yandexgpt_streams_without_usage_and_finishes_on_content(ask_yandex_v1: Ask) -> None:
    """Role and content share the first chunk; finish rides on the last; [DONE] ends."""
    _, raw = await ask_yandex_v1("привет [[chunks:3]]", stream=True, stream_options={"include_usage": True})

    *chunks, done = sse(raw)
    assert done == "[DONE]"
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[0]["choices"][0]["delta"]["content"]
    assert [chunk["choices"][0].get("finish_reason") for chunk in chunks] == [None, None, "stop"]
    assert not any("usage" in chunk for chunk in chunks)


async def test_open_models_stream_as_vllm_does(ask_yandex_v1: Ask) -> None:
    """Role alone first, finish alone, usage with no choices, and a model name without the folder."""
    _, raw = await ask_yandex_v1("привет [[chunks:2]] [[tokens:5]]", model="qwen3.6-35b-a3b", stream=True)

    *chunks, done = sse(raw)
    assert done == "[DONE]"
    assert [list(chunk["choices"][0]["delta"]) for chunk in chunks[:-1]] == [["role"], ["content"], ["content"], []]
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 5
    assert chunks[0]["model"] == "gpt://qwen3.6-35b-a3b/latest"


async def test_alice_forgets_the_finish_and_leaks_a_token(ask_yandex_v1: Ask) -> None:
    """With auto there is no finish_reason after a call; with required the model's own token shows."""
    prompt = '[[call:camp {"id": 1}]]'

    _, auto = await ask_yandex_v1(prompt, model="aliceai-llm", stream=True, tools=TOOLS)
    _, required = await ask_yandex_v1(prompt, model="aliceai-llm", tools=TOOLS, tool_choice="required")

    assert not any("finish_reason" in chunk["choices"][0] for chunk in sse(auto)[:-1])
    assert required["choices"][0]["message"]["content"] == "[TOOL_CALL_END]"


async def test_call_ids_are_function_names_and_parallel_calls_come_anyway(ask_yandex_v1: Ask) -> None:
    """Two calls of one function collide; parallel_tool_calls=false is not honoured."""
    _, body = await ask_yandex_v1("[[call:camp]] [[call:camp]]", tools=TOOLS, parallel_tool_calls=False)

    message = body["choices"][0]["message"]
    assert [call["id"] for call in message["tool_calls"]] == ["camp", "camp"]
    assert message["content"] == ""
    assert body["choices"][0]["finish_reason"] == "tool_calls"


async def test_usage_keeps_the_recorded_order(emulator: RunningEmulator, http: aiohttp.ClientSession) -> None:
    """The plain body ends in a newline and counts prompt, total, completion."""
    body = {"model": f"gpt://{YANDEX_FOLDER}/yandexgpt", "messages": [{"role": "user", "content": "привет"}]}
    headers = {"Authorization": f"Api-Key {YANDEX_API_KEY}", "OpenAI-Project": YANDEX_FOLDER}

    async with http.post(f"{emulator.yandex_url}/v1/chat/completions", json=body, headers=headers) as response:
        raw = await response.text()

    assert raw.endswith("}\n")
    assert raw.index("prompt_tokens") < raw.index("total_tokens") < raw.index('"completion_tokens')


@pytest.mark.parametrize("stream", [False, True])
async def test_reasoning_is_shown_and_can_eat_all_tokens(ask_yandex_v1: Ask, stream: bool) -> None:
    """A small max_tokens is spent on reasoning: no content, finish length."""
    _, found = await ask_yandex_v1(
        "привет", model="qwen3.6-35b-a3b", reasoning_effort="low", max_tokens=10, stream=stream
    )

    choices = [chunk["choices"][0] for chunk in sse(found)[:-2]] if stream else found["choices"]
    parts = [choice.get("delta", choice.get("message")) for choice in choices]
    assert choices[-1]["finish_reason"] == "length"
    assert any(part.get("reasoning_content") for part in parts)
    assert not any(part.get("content") for part in parts)


async def test_refusals_have_the_openai_envelope(ask_yandex_v1: Ask, http: aiohttp.ClientSession) -> None:
    """A foreign folder and a broken request are 400 with a message."""
    status, body = await ask_yandex_v1("x", messages=[])
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")


async def test_a_bare_model_name_is_refused(emulator: RunningEmulator, http: aiohttp.ClientSession) -> None:
    """/v1 wants a URI."""
    body = {"model": "yandexgpt", "messages": [{"role": "user", "content": "x"}]}
    headers = {"Authorization": f"Bearer {YANDEX_API_KEY}"}

    async with http.post(f"{emulator.yandex_url}/v1/chat/completions", json=body, headers=headers) as response:
        found = await response.json()

    assert (response.status, found["error"]["message"]) == (400, "Failed to parse model URI: yandexgpt")


@pytest.mark.parametrize(("text", "size", "status"), [("река", 256, 200), (["река"], 768, 200), (["a", "b"], 256, 400)])
async def test_embeddings_take_one_text(
    emulator: RunningEmulator, http: aiohttp.ClientSession, text: Any, size: int, status: int
) -> None:
    """A string or a list of one; `dimensions` sets the size."""
    body = {"model": f"emb://{YANDEX_FOLDER}/text-embeddings-v2-doc", "input": text, "dimensions": size}
    headers = {"Authorization": f"Bearer {YANDEX_API_KEY}"}

    async with http.post(f"{emulator.yandex_url}/v1/embeddings", json=body, headers=headers) as response:
        found = await response.json()

    assert response.status == status
    if status == 200:
        assert len(found["data"][0]["embedding"]) == size


async def test_lists_models_of_the_folder(emulator: RunningEmulator, http: aiohttp.ClientSession) -> None:
    """Every id is a URI with the caller's folder."""
    headers = {"Authorization": f"Bearer {YANDEX_API_KEY}"}

    async with http.get(f"{emulator.yandex_url}/v1/models", headers=headers) as response:
        ids = [model["id"] for model in (await response.json())["data"]]

    assert f"gpt://{YANDEX_FOLDER}/yandexgpt-5.1" in ids
    assert all(f"://{YANDEX_FOLDER}/" in uri for uri in ids)


async def test_an_error_event_comes_inside_a_200(ask_yandex_v1: Ask) -> None:
    """The nesting is error.error, and no [DONE] follows."""
    status, raw = await ask_yandex_v1("x [[fault:mid_stream_error]]", stream=True)

    assert status == 200
    assert sse(raw)[-1] == {"error": {"error": "model call failed", "code": 500}}


async def test_the_filters_chunk_stands_for_the_whole_text(ask_yandex_v1: Ask) -> None:
    """What was said before is withdrawn, so that who appends shows both."""
    _, plain = await ask_yandex_v1("x [[fault:content_filter after=3]]")
    _, raw = await ask_yandex_v1("x [[fault:content_filter after=3]]", stream=True)

    choices = [event["choices"][0] for event in sse(raw)[:-1]]
    said = [choice["delta"]["content"] for choice in choices]
    assert said == [said[0], plain["choices"][0]["message"]["content"]]
    assert len(said[0].split()) == 3
    assert choices[-1]["finish_reason"] == "content_filter"


async def test_stop_is_taken_and_ignored(ask_yandex_v1: Ask) -> None:
    """As documented: currently not supported."""
    _, body = await ask_yandex_v1("x [[text:раз два три]]", stop=["два"])

    assert body["choices"][0]["message"]["content"] == "раз два три"
