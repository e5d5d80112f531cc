"""GigaChat's API, v1 and v2."""

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from emulator.testing import RunningEmulator
from emulator.tests.asking import sse
from emulator.tests.conftest import Ask
from emulator.toy_model import tokenizer

OBJECT = {"type": "object", "properties": {"camp": {"type": "string"}}}
FUNCTION = {"name": "camp_distance", "parameters": OBJECT}
CALL = {"role": "assistant", "content": "", "function_call": {"name": "camp_distance", "arguments": {}}}


async def test_answers_without_an_id_and_with_a_build_suffix(ask_gigachat: Ask) -> None:
    """The body has the recorded keys."""
    status, body = await ask_gigachat("привет")

    choice = body["choices"][0]
    assert status == 200
    assert set(body) == {"choices", "created", "model", "object", "usage"}
    assert body["model"] == "GigaChat-2-Max:2.0.30.01"
    assert choice["finish_reason"] == "stop"
    assert body["usage"]["completion_tokens"] == tokenizer.count(choice["message"]["content"])


async def test_streams_deltas_and_ends_with_usage(ask_gigachat: Ask) -> None:
    """The role is in the first delta only; usage and finish are in the last event; [DONE] follows."""
    _, plain = await ask_gigachat("привет [[chunks:4]]")
    _, raw = await ask_gigachat("привет [[chunks:4]]", stream=True)

    *events, done = sse(raw)
    deltas = [event["choices"][0]["delta"] for event in events]
    assert done == "[DONE]"
    assert ["role" in delta for delta in deltas] == [True] + [False] * 4
    assert "".join(delta["content"] for delta in deltas) == plain["choices"][0]["message"]["content"]
    assert [("usage" in event) for event in events] == [False] * 4 + [True]
    assert events[-1]["usage"] == plain["usage"]


async def test_cached_tokens_are_left_out_of_the_prompt(ask_gigachat: Ask) -> None:
    """prompt + cached is the true prompt, by marker or by a session that came before."""
    _, marked = await ask_gigachat("привет, далёкий север [[cached:4]]")
    _, first = await ask_gigachat("привет", session="same")
    _, second = await ask_gigachat("привет", session="same")

    assert marked["usage"]["precached_prompt_tokens"] == 4
    assert marked["usage"]["total_tokens"] == (marked["usage"]["prompt_tokens"] + marked["usage"]["completion_tokens"])
    assert first["usage"]["precached_prompt_tokens"] == 0
    usage = second["usage"]
    assert usage["precached_prompt_tokens"] + usage["prompt_tokens"] == first["usage"]["prompt_tokens"]


@pytest.mark.parametrize("stream", [False, True])
async def test_calls_one_function_with_object_arguments(ask_gigachat: Ask, stream: bool) -> None:
    """v1 knows one call, its arguments are an object, a state id comes along."""
    prompt = '[[call:camp_distance {"camp":"южная"}]] [[call:camp_distance]]'

    _, found = await ask_gigachat(prompt, functions=[FUNCTION], function_call="auto", stream=stream)

    if stream:
        events = sse(found)
        message, finish = events[0]["choices"][0]["delta"], events[-2]["choices"][0]["finish_reason"]
    else:
        message, finish = found["choices"][0]["message"], found["choices"][0]["finish_reason"]
    assert message["function_call"] == {"name": "camp_distance", "arguments": {"camp": "южная"}}
    assert message["functions_state_id"]
    assert finish == "function_call"


async def test_variants_of_a_function_call_are_faults(ask_gigachat: Ask) -> None:
    """Arguments as text, finish on the same delta, progress deltas: adapters must take all."""
    asked: dict[str, Any] = {"functions": [FUNCTION], "function_call": {"name": "camp_distance"}, "stream": True}

    _, text = await ask_gigachat("[[fault:arguments_string]]", **asked)
    _, joined = await ask_gigachat("[[fault:finish_with_call]]", **asked)
    _, progress = await ask_gigachat("[[fault:in_progress]]", stream=True)

    assert isinstance(sse(text)[0]["choices"][0]["delta"]["function_call"]["arguments"], str)
    assert sse(joined)[0]["choices"][0]["finish_reason"] == "function_call"
    assert sse(progress)[0]["choices"][0]["delta"]["role"] == "function_in_progress"


async def test_functions_are_off_unless_asked_for(ask_gigachat: Ask) -> None:
    """function_call defaults to none."""
    _, body = await ask_gigachat("[[call:camp_distance]]", functions=[FUNCTION])

    assert "function_call" not in body["choices"][0]["message"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]}, "system message must"),
        ({"repetition_penalty": 0}, "repetition_penalty must be in range (0, +inf)"),
        ({"temperature": 0}, "temperature must be in range"),
        ({"top_p": 1.1}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages must not be empty"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "unknown role"),
        ({"messages": [{"role": "user", "content": [{"text": "a"}]}]}, "content must be a string"),
        ({"messages": [{"role": "user", "content": "a"}, CALL]}, "must have a result in history"),
        ({"messages": [{"role": "function", "name": "f", "content": "{}"}]}, "must follow"),
        (
            {"messages": [CALL, {"role": "function", "name": "camp_distance", "content": "три"}]},
            "INVALID_PARAMS: invalid function result for function json string `три`",
        ),
        ({"model": "GigaChat-Plus", "functions": [FUNCTION]}, "Requested model does not support functions"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
    ],
)
async def test_broken_rules_are_422(ask_gigachat: Ask, fields: dict[str, Any], message: str) -> None:
    """Each rule has the provider's words."""
    status, body = await ask_gigachat("привет", **fields)

    assert (status, body["status"]) == (422, 422)
    assert message in body["message"]


async def test_other_refusals(ask_gigachat: Ask, emulator: RunningEmulator, http: aiohttp.ClientSession) -> None:
    """404 for a model, 413 beyond the window, 400 for JSON, HTML 403 for a path."""
    assert await ask_gigachat("x", model="GigaChat-9") == (404, {"status": 404, "message": "No such model"})
    assert (await ask_gigachat("слово " * 132_000))[0] == 413
    assert (await ask_gigachat("x", path="/api/v1/chat/none"))[1].startswith("<html>")


async def test_a_spent_package_is_402(emulator: RunningEmulator, ask_gigachat: Ask) -> None:
    """Every call is charged to its model's package until nothing is left; other models go on."""
    await emulator.control.set_limits(packages={"GigaChat-2-Max": 10})

    statuses = [(await ask_gigachat("привет"))[0] for _ in range(2)]

    assert statuses == [200, 402]
    assert (await ask_gigachat("привет", model="GigaChat-2"))[0] == 200


async def test_a_second_parallel_call_is_429(
    emulator: RunningEmulator, http: aiohttp.ClientSession, gigachat_token: Callable[..., Awaitable[str]]
) -> None:
    """A person's key has one place; it clears when the first call ends, even when its client just leaves."""
    headers = {"Authorization": f"Bearer {await gigachat_token()}"}
    url = f"{emulator.gigachat_url}/v1/chat/completions"
    endless = {"role": "user", "content": "[[fault:stall]]"}
    short = {"role": "user", "content": "привет"}

    async with http.post(
        url, json={"model": "GigaChat-2", "messages": [endless], "stream": True}, headers=headers
    ) as first:
        await first.content.readline()
        async with http.post(url, json={"model": "GigaChat-2", "messages": [short]}, headers=headers) as second:
            assert (second.status, await second.json()) == (429, {"status": 429, "message": "Too many requests"})
        first.close()
    while (await emulator.control.ground_truth(operation="chat"))[0]["ended"] == "open":
        pass
    async with http.post(url, json={"model": "GigaChat-2", "messages": [short]}, headers=headers) as third:
        assert third.status == 200


async def test_a_firms_key_may_make_ten_calls_at_once(
    emulator: RunningEmulator, http: aiohttp.ClientSession, gigachat_token: Callable[..., Awaitable[str]]
) -> None:
    """The eleventh is 429."""
    await emulator.control.add_credential("gigachat", key="ZmlybTpzZWNyZXQ=", scope="GIGACHAT_API_CORP")
    headers = {"Authorization": f"Bearer {await gigachat_token('ZmlybTpzZWNyZXQ=', 'GIGACHAT_API_CORP')}"}
    url = f"{emulator.gigachat_url}/v1/chat/completions"
    endless = {"model": "GigaChat-2", "messages": [{"role": "user", "content": "[[fault:stall]]"}], "stream": True}

    async with AsyncExitStack() as running:
        for _ in range(10):
            await running.enter_async_context(http.post(url, json=endless, headers=headers))
        async with http.post(url, json=endless, headers=headers) as eleventh:
            assert eleventh.status == 429


async def test_json_schema_is_kept_un_nested(ask_gigachat: Ask) -> None:
    """The schema sits directly in response_format."""
    response_format = {"type": "json_schema", "schema": OBJECT, "strict": True}

    _, body = await ask_gigachat("JSON", model="GigaChat-3-Ultra", response_format=response_format)

    assert isinstance(json.loads(body["choices"][0]["message"]["content"])["camp"], str)
    assert body["object"] == "chat.completions"


async def test_the_filter_says_blacklist(ask_gigachat: Ask) -> None:
    """HTTP 200, a stock text, its own finish reason."""
    _, raw = await ask_gigachat("x [[fault:content_filter]]", stream=True)

    assert sse(raw)[-2]["choices"][0]["finish_reason"] == "blacklist"


async def test_v2_speaks_in_parts_and_named_events(ask_gigachat: Ask) -> None:
    """Deltas, then `done` with usage; no [DONE]."""
    messages = [{"role": "user", "content": [{"text": "привет [[chunks:3]]"}]}]

    _, plain = await ask_gigachat("", path="/v2/chat/completions", messages=messages)
    _, raw = await ask_gigachat("", path="/api/v2/chat/completions", messages=messages, stream=True)

    names = [line.removeprefix("event: ") for line in raw.splitlines() if line.startswith("event: ")]
    events = sse(raw)
    assert names == ["response.message.delta"] * 3 + ["response.message.done"]
    text = "".join(event["messages"][0]["content"][0]["text"] for event in events[:-1])
    assert text == plain["messages"][0]["content"][0]["text"]
    assert events[-1]["usage"] == plain["usage"]
    assert "[DONE]" not in raw


async def test_v2_forces_a_function_and_takes_its_result(ask_gigachat: Ask) -> None:
    """The answer names the state tool_state_id; the second turn is answered in words."""
    tools = [{"functions": {"specifications": [FUNCTION]}}]
    user = {"role": "user", "content": [{"text": "далеко?"}]}
    config = {"mode": "forced", "function_name": "camp_distance"}

    _, first = await ask_gigachat("", path="/v2/chat/completions", messages=[user], tools=tools, tool_config=config)
    call = first["messages"][0]["content"][0]
    answered = {
        "role": "tool",
        "content": [{"function_result": {"name": "camp_distance", "result": {"metres": 400}}}],
    }
    history = [user, {"role": "assistant", "content": [call]}, answered]
    status, second = await ask_gigachat("", path="/v2/chat/completions", messages=history, tools=tools)

    assert first["finish_reason"] == "function_call"
    assert first["messages"][0]["tool_state_id"]
    assert status == 200
    assert second["messages"][0]["content"][0]["text"]


async def test_small_endpoints(
    emulator: RunningEmulator, http: aiohttp.ClientSession, gigachat_token: Callable[..., Awaitable[str]]
) -> None:
    """Models, counts, embeddings and balance have their own shapes."""
    headers = {"Authorization": f"Bearer {await gigachat_token()}"}
    base = f"{emulator.gigachat_url}/api/v1"
    texts = ["стоянка у реки", "привет"]

    async with http.get(f"{base}/models", headers=headers) as response:
        models = (await response.json())["data"]
    async with http.get(f"{base}/models/GigaChat-2", headers=headers) as response:
        model = await response.json()
    async with http.post(f"{base}/tokens/count", json={"model": "GigaChat", "input": texts}, headers=headers) as got:
        counts = await got.json()
    async with http.post(f"{base}/embeddings", json={"model": "Embeddings", "input": texts}, headers=headers) as got:
        embedded = await got.json()
    async with http.get(f"{base}/balance", headers=headers) as response:
        balance = await response.json()

    assert model in models
    assert counts[0] == {"object": "tokens", "tokens": 4, "characters": 14}
    assert [len(item["embedding"]) for item in embedded["data"]] == [1024, 1024]
    assert [item["usage"]["prompt_tokens"] for item in embedded["data"]] == [count["tokens"] for count in counts]
    assert balance == {"balance": []}


async def test_files_are_kept_byte_for_byte(
    emulator: RunningEmulator,
    http: aiohttp.ClientSession,
    gigachat_token: Callable[..., Awaitable[str]],
    ask_gigachat: Ask,
) -> None:
    """Upload, attach, read back, delete; an unknown attachment is refused."""
    headers = {"Authorization": f"Bearer {await gigachat_token()}"}
    base, data = f"{emulator.gigachat_url}/v1/files", bytes(range(256)) + b"\r\n--x\r\n\n"
    form = aiohttp.FormData()
    form.add_field("file", data, filename="карта.png", content_type="image/png")
    form.add_field("purpose", "general")

    async with http.post(base, data=form, headers=headers) as response:
        stored = await response.json()
    message = {"role": "user", "content": "Что тут?", "attachments": [stored["id"]]}
    attached, _ = await ask_gigachat("", messages=[message])
    async with http.get(f"{base}/{stored['id']}/content", headers=headers) as response:
        read = await response.read()
    async with http.post(f"{base}/{stored['id']}/delete", headers=headers) as response:
        deleted = await response.json()
    refused, _ = await ask_gigachat("", messages=[message])

    assert stored["bytes"] == len(data)
    assert read == data
    assert deleted["deleted"] is True
    assert (attached, refused) == (200, 404)
