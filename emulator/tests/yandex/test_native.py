"""Yandex's native REST surface."""

import itertools
import json
from typing import Any

import aiohttp
import pytest

from emulator.testing import YANDEX_API_KEY, YANDEX_FOLDER, RunningEmulator
from emulator.tests.asking import ndjson
from emulator.tests.conftest import Ask
from emulator.toy_model import tokenizer

TOOL = {
    "function": {
        "name": "camp_distance",
        "parameters": {"type": "object", "properties": {"camp": {"type": "string"}, "metres": {"type": "integer"}}},
    }
}


async def test_wraps_the_answer_and_prints_counts_as_strings(ask_yandex: Ask) -> None:
    """The shape is the recorded one: `result`, int64 as strings, a dated version."""
    status, body = await ask_yandex("привет", options={"temperature": 0.3})

    result = body["result"]
    text = result["alternatives"][0]["message"]["text"]
    assert status == 200
    assert result["alternatives"][0]["status"] == "ALTERNATIVE_STATUS_FINAL"
    assert result["usage"] == {
        "inputTextTokens": "6",
        "completionTokens": str(tokenizer.count(text)),
        "totalTokens": str(6 + tokenizer.count(text)),
        "completionTokensDetails": {},
    }


async def test_streams_cumulative_text_with_usage_on_every_line(ask_yandex: Ask) -> None:
    """Each line repeats the text so far and its exact count; the last repeats the whole with a final status."""
    _, raw = await ask_yandex("привет [[chunks:5]] [[tokens:17]]", stream=True)

    lines = [line["result"] for line in ndjson(raw)]
    texts = [line["alternatives"][0]["message"]["text"] for line in lines]
    statuses = [line["alternatives"][0]["status"].removeprefix("ALTERNATIVE_STATUS_") for line in lines]
    assert statuses == ["PARTIAL"] * 5 + ["FINAL"]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))
    assert texts[-1] == texts[-2]
    assert [line["usage"]["completionTokens"] for line in lines] == [str(tokenizer.count(text)) for text in texts]


async def test_a_stream_and_a_plain_answer_say_the_same(ask_yandex: Ask) -> None:
    """Streaming changes the form only."""
    _, raw = await ask_yandex("что там?", stream=True)
    _, body = await ask_yandex("что там?")

    assert ndjson(raw)[-1]["result"] == body["result"]


@pytest.mark.parametrize("stream", [False, True])
async def test_max_tokens_cuts_the_answer(ask_yandex: Ask, stream: bool) -> None:
    """The limit is honoured to the token and named in the status."""
    _, found = await ask_yandex("привет [[tokens:50]]", stream=stream, options={"maxTokens": "8"})

    result = ndjson(found)[-1]["result"] if stream else found["result"]
    assert result["alternatives"][0]["status"] == "ALTERNATIVE_STATUS_TRUNCATED_FINAL"
    assert result["usage"]["completionTokens"] == "8"


async def test_calls_the_function_named_in_the_prompt(ask_yandex: Ask) -> None:
    """Arguments are an object, there is no id, and usage counts them."""
    _, body = await ask_yandex('[[call:camp_distance {"camp":"северная","metres":5}]]', tools=[TOOL])

    alternative = body["result"]["alternatives"][0]
    call = alternative["message"]["toolCallList"]["toolCalls"][0]["functionCall"]
    assert alternative["status"] == "ALTERNATIVE_STATUS_TOOL_CALLS"
    assert call == {"name": "camp_distance", "arguments": {"camp": "северная", "metres": 5}}
    assert int(body["result"]["usage"]["completionTokens"]) > 0


async def test_struct_integers_may_come_as_doubles(ask_yandex: Ask) -> None:
    """The fault prints what protobuf's Struct does to integers."""
    prompt = '[[call:camp_distance {"metres":5}]] [[fault:struct_doubles]]'

    _, raw = await ask_yandex(prompt, tools=[TOOL], stream=True)

    assert '"metres":5.0' in raw


@pytest.mark.parametrize(
    ("choice", "called"),
    [({"mode": "REQUIRED"}, True), ({"mode": "AUTO"}, False), ({"functionName": "camp_distance"}, True)],
    ids=["required", "auto", "named"],
)
async def test_tool_choice_decides_without_a_marker(ask_yandex: Ask, choice: Any, called: bool) -> None:
    """Required and named force a call whose arguments fit the schema."""
    _, body = await ask_yandex("привет", tools=[TOOL], toolChoice=choice)

    message = body["result"]["alternatives"][0]["message"]
    assert ("toolCallList" in message) == called
    if called:
        arguments = message["toolCallList"]["toolCalls"][0]["functionCall"]["arguments"]
        assert isinstance(arguments["metres"], int)


async def test_parallel_calls_are_switched_off_by_the_request(ask_yandex: Ask) -> None:
    """The native API honours parallelToolCalls."""
    prompt = "[[call:camp_distance]] [[call:camp_distance]]"

    counts = []
    for parallel in (True, False):
        _, body = await ask_yandex(prompt, tools=[TOOL], parallelToolCalls=parallel)
        message = body["result"]["alternatives"][0]["message"]
        counts.append(len(message["toolCallList"]["toolCalls"]))

    assert counts == [2, 1]


async def test_a_tool_result_is_answered_in_words(ask_yandex: Ask) -> None:
    """The call marker of the first turn does not loop."""
    call = {"functionCall": {"name": "camp_distance", "arguments": {"camp": "северная"}}}
    messages = [
        {"role": "user", "text": "[[call:camp_distance]]"},
        {"role": "assistant", "toolCallList": {"toolCalls": [call]}},
        {"role": "user", "toolResultList": {"toolResults": [
            {"functionResult": {"name": "camp_distance", "content": "400"}}
        ]}},
    ]  # fmt: skip

    status, body = await ask_yandex("", messages=messages, tools=[TOOL])

    assert status == 200
    assert body["result"]["alternatives"][0]["message"]["text"]


async def test_json_schema_is_kept(ask_yandex: Ask) -> None:
    """JSON arrives as text."""
    schema = {"schema": {"type": "object", "properties": {"metres": {"type": "integer"}}}}

    _, body = await ask_yandex("верни JSON", jsonSchema=schema)

    assert isinstance(json.loads(body["result"]["alternatives"][0]["message"]["text"])["metres"], int)


async def test_hidden_reasoning_is_billed(ask_yandex: Ask) -> None:
    """Reasoning tokens are part of completionTokens and named in the details."""
    options = {"reasoningOptions": {"mode": "ENABLED_HIDDEN"}}

    _, body = await ask_yandex("привет [[tokens:10]]", options=options)

    usage = body["result"]["usage"]
    assert usage["completionTokensDetails"] == {"reasoningTokens": "16"}
    assert usage["completionTokens"] == "26"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"modelUri": "yandexgpt"}, "invalid model_uri"),
        ({"modelUri": "gpt://other/yandexgpt"}, "Specified folder ID 'other' does not match"),
        ({"messages": [{"role": "user", "text": ""}]}, "text length is 0"),
        ({"messages": [{"role": "user", "text": "ы" * 100_001}]}, "text length is 100001"),
        ({"messages": [{"role": "tool", "text": "x"}]}, "unknown message role"),
        ({"completionOptions": {"temperature": 1.5}}, "temperature must be in range"),
        ({"completionOptions": {"maxTokens": "0"}}, "max_tokens must be greater than 0"),
        ({"jsonObject": True, "jsonSchema": {"schema": {}}}, "mutually exclusive"),
        ({"messages": [{"role": "user", "text": "ы " * 40_000}]}, "number of input tokens must be no more than 32768"),
    ],
    ids=["uri", "folder", "empty", "long", "role", "temperature", "max_tokens", "json", "window"],
)
async def test_refuses_what_the_provider_refuses(ask_yandex: Ask, fields: Any, message: str) -> None:
    """Each breach is a 400 in the native envelope with the recorded wording."""
    status, body = await ask_yandex("привет", **fields)

    assert status == 400
    assert message in body["error"]["message"]
    assert (body["error"]["grpcCode"], body["error"]["httpStatus"]) == (3, "Bad Request")


async def test_unknown_keys_models_and_paths(emulator: RunningEmulator, http: aiohttp.ClientSession) -> None:
    """401 masks the key, 404 of a path is plain text."""
    url = f"{emulator.yandex_url}/foundationModels/v1/completion"
    body = {"modelUri": f"gpt://{YANDEX_FOLDER}/nothing", "messages": [{"role": "user", "text": "x"}]}

    async with http.post(url, json=body, headers={"Authorization": "Api-Key AQVN-SECRET-KEY"}) as response:
        wrong_key = (response.status, (await response.json())["error"]["message"])
    async with http.post(url, json=body, headers={"Authorization": f"Api-Key {YANDEX_API_KEY}"}) as response:
        wrong_model = (response.status, (await response.json())["error"]["grpcCode"])
    async with http.get(f"{emulator.yandex_url}/v2/none") as response:
        wrong_path = (response.status, await response.text())

    assert wrong_key == (401, "Unknown api key 'AQVN****EY'")
    assert wrong_model == (404, 5)
    assert wrong_path == (404, "404 page not found\n")


async def test_echoes_the_clients_request_id(emulator: RunningEmulator, http: aiohttp.ClientSession) -> None:
    """Support asks for both ids; the log keeps the client's."""
    headers = {"Authorization": f"Api-Key {YANDEX_API_KEY}", "x-client-request-id": "my-id"}
    body = {"modelUri": f"gpt://{YANDEX_FOLDER}/yandexgpt", "text": "стоянка у реки"}

    async with http.post(f"{emulator.yandex_url}/foundationModels/v1/tokenize", json=body, headers=headers) as response:
        assert response.headers["x-client-request-id"] == "my-id"
        assert response.headers["x-request-id"]

    assert (await emulator.control.ground_truth())[0]["request_id"] == "my-id"


async def test_tokenizers_agree_with_usage(
    emulator: RunningEmulator, http: aiohttp.ClientSession, ask_yandex: Ask
) -> None:
    """tokenizeCompletion counts exactly what a completion bills as input."""
    _, completion = await ask_yandex("далеко ли до реки?", tools=[TOOL])
    body = {
        "modelUri": f"gpt://{YANDEX_FOLDER}/yandexgpt",
        "messages": [{"role": "user", "text": "далеко ли до реки?"}],
        "tools": [TOOL],
    }
    headers = {"Authorization": f"Api-Key {YANDEX_API_KEY}"}

    url = f"{emulator.yandex_url}/foundationModels/v1/tokenizeCompletion"
    async with http.post(url, json=body, headers=headers) as response:
        tokens = (await response.json())["tokens"]

    assert str(len(tokens)) == completion["result"]["usage"]["inputTextTokens"]
    assert tokens[0] == {"id": "1", "text": "<s>", "special": True}


async def test_embeds_one_text(emulator: RunningEmulator, http: aiohttp.ClientSession) -> None:
    """256 numbers, the same for the same text."""
    body = {"modelUri": f"emb://{YANDEX_FOLDER}/text-search-doc/latest", "text": "где стоянка"}
    headers = {"Authorization": f"Api-Key {YANDEX_API_KEY}"}

    found = []
    for _ in range(2):
        async with http.post(
            f"{emulator.yandex_url}/foundationModels/v1/textEmbedding", json=body, headers=headers
        ) as response:
            found.append(await response.json())

    assert len(found[0]["embedding"]) == 256
    assert found[0] == found[1]
    assert found[0]["numTokens"] == "4"


async def test_an_operation_is_polled_until_it_is_done(emulator: RunningEmulator, http: aiohttp.ClientSession) -> None:
    """The response inside has @type and no `result` wrapper."""
    headers = {"Authorization": f"Api-Key {YANDEX_API_KEY}"}
    body = {"modelUri": f"gpt://{YANDEX_FOLDER}/yandexgpt", "messages": [{"role": "user", "text": "x"}]}

    url = f"{emulator.yandex_url}/foundationModels/v1/completionAsync"
    async with http.post(url, json=body, headers=headers) as response:
        submitted = await response.json()
    async with http.get(f"{emulator.yandex_url}/operations/{submitted['id']}", headers=headers) as response:
        done = await response.json()
    async with http.get(f"{emulator.yandex_url}/operations/d7qnone", headers=headers) as response:
        missing = await response.json()

    assert submitted["done"] is False
    assert done["response"]["@type"].endswith("CompletionResponse")
    assert done["response"]["usage"]["inputTextTokens"] == "6"
    assert missing["error"]["message"] == "Operation d7qnone not found"


async def test_a_later_partial_may_change_earlier_text(ask_yandex: Ask) -> None:
    """The rewrite breaks the prefix rule, for good or in one partial."""
    _, lasting = await ask_yandex("привет [[chunks:6]] [[fault:prefix_rewrite after=3]]", stream=True)
    _, passing = await ask_yandex("привет [[chunks:6]] [[fault:prefix_rewrite after=3 restore=1]]", stream=True)

    def starts(raw: str) -> list[bool]:
        texts = [line["result"]["alternatives"][0]["message"]["text"] for line in ndjson(raw)]
        return [text.startswith("правка") for text in texts]

    assert starts(lasting) == [False] * 3 + [True] * 4
    assert starts(passing) == [False] * 3 + [True] + [False] * 3


async def test_the_filter_replaces_what_was_said(ask_yandex: Ask) -> None:
    """A partial of the real answer, then the refusal under its own status; plain answers only refuse."""
    _, raw = await ask_yandex("x [[fault:content_filter after=2]]", stream=True)
    _, body = await ask_yandex("x [[fault:content_filter]]")

    lines = [line["result"]["alternatives"][0] for line in ndjson(raw)]
    assert [line["status"][19:] for line in lines] == ["PARTIAL", "PARTIAL", "CONTENT_FILTER"]
    assert not lines[-1]["message"]["text"].startswith(lines[0]["message"]["text"])
    assert body["result"]["alternatives"][0]["status"] == "ALTERNATIVE_STATUS_CONTENT_FILTER"


async def test_an_error_may_come_in_the_middle_of_a_stream(ask_yandex: Ask) -> None:
    """After the first line an error is a line of its own."""
    _, raw = await ask_yandex("x [[fault:mid_stream_error after=2 code=503]]", stream=True)

    lines = ndjson(raw)
    assert ["result" in line for line in lines] == [True, True, False]
    assert lines[-1]["error"]["grpcCode"] == 14
