"""The older form of completions, and embeddings."""

from __future__ import annotations

import base64
import struct

import openai
import pytest
from razvilka.router.v1 import router_pb2 as pb

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.tests.backends import KEY, Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.inference.chat_calls import events

TEXT = "/v1/completions"
EMBED = "/v1/embeddings"


def official(edge: Edge) -> openai.AsyncOpenAI:
    """Return the official client."""
    return openai.AsyncOpenAI(base_url=f"{edge.client.base_url}/v1", api_key=KEY, max_retries=0)


async def test_a_prompt_is_completed(edge: Edge, backends: Backends) -> None:
    """text_completion objects, read by the official client."""
    answer = await official(edge).completions.create(model="yandexgpt", prompt="Скажи", max_tokens=5)

    assert (answer.object, answer.choices[0].text, answer.choices[0].finish_reason) == (
        "text_completion",
        "Привет!",
        "stop",
    )
    (prompt,) = backends.router.prompts
    assert (prompt.messages[0].role, prompt.messages[0].content, prompt.max_tokens) == (pb.ROLE_USER, "Скажи", 5)


async def test_several_prompts_are_one_answer(edge: Edge, backends: Backends) -> None:
    """Choices are numbered through; usage and cost are sums; one row."""
    body = {"model": "yandexgpt", "prompt": ["раз", "два"], "n": 2, "echo": True}

    backends.router.queued_ms = 15
    got = await edge.client.post(TEXT, json=body)
    answer = got.json()

    assert got.headers["x-razvilka-queue-ms"] == "30"
    assert [(choice["index"], choice["text"]) for choice in answer["choices"]] == [
        (0, "разПривет!"),
        (1, "разПривет!"),
        (2, "дваПривет!"),
        (3, "дваПривет!"),
    ]
    assert (answer["usage"]["total_tokens"], answer["usage"]["cost_rub"]) == (26, "0.005600")
    row = await backends.usage.row()
    assert (row.endpoint, row.tokens_input, len(row.attempts)) == ("completions", 20, 2)


async def test_several_prompts_are_one_stream(edge: Edge) -> None:
    """One [DONE], one usage chunk, choices numbered through."""
    body = {
        "model": "yandexgpt",
        "prompt": ["раз", "два"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }

    *chunks, last, done = events((await edge.client.post(TEXT, json=body)).text)

    texts = {0: "", 1: ""}
    for chunk in chunks:
        texts[chunk["choices"][0]["index"]] += chunk["choices"][0]["text"]
    assert texts == {0: "Привет!", 1: "Привет!"}
    assert (last["choices"], last["usage"]["total_tokens"], done) == ([], 26, "[DONE]")


@pytest.mark.parametrize("stream", [False, True])
async def test_the_prompts_of_a_list_are_answered_by_one_model(edge: Edge, backends: Backends, stream: bool) -> None:
    """One row has one price: a stand-in that took over in the middle was billed at another one's, or the other way."""
    backends.router.answering_model = "gigachat-pro"
    body = {"model": "yandexgpt", "prompt": ["раз", "два", "три"], "models": ["gigachat-pro"], "stream": stream}

    answer = await edge.client.post("/v1/completions", json=body)

    assert answer.status_code == 200, answer.text
    assert [(list(each.candidates), each.alone) for each in backends.router.prompts] == [
        (["yandexgpt:latest", "gigachat-pro"], False),
        (["gigachat-pro"], True),
        (["gigachat-pro"], True),
    ]
    assert (await backends.usage.row(answer.headers["x-request-id"])).model == "gigachat-pro"


async def test_the_official_client_streams_text(edge: Edge) -> None:
    """The openai package reads the older stream."""
    stream = await official(edge).completions.create(model="yandexgpt", prompt="Скажи", stream=True)

    assert "".join([chunk.choices[0].text async for chunk in stream]) == "Привет!"


async def test_embeddings_by_the_official_client(edge: Edge, backends: Backends) -> None:
    """It asks for base64 and unpacks it; vectors come in the order of the inputs."""
    answer = await official(edge).embeddings.create(model="text-embeddings", input=["а", "б"], dimensions=4)

    assert [item.embedding for item in answer.data] == [[0.5] * 4, [1.5] * 4]
    assert [item.index for item in answer.data] == [0, 1]
    row = await backends.usage.row()
    assert (row.endpoint, row.tokens_input, row.tokens_output, row.cost_micro_rub) == ("embeddings", 7, 0, 1400)


@pytest.mark.parametrize("form", ["float", "base64", None])
async def test_embeddings_come_in_the_form_asked_for(edge: Edge, form: str | None) -> None:
    """Numbers, or little-endian float32 in base64."""
    answer = await edge.client.post(EMBED, json={"model": "text-embeddings", "input": "а", "encoding_format": form})

    value = answer.json()["data"][0]["embedding"]
    if form == "base64":
        assert isinstance(value, str)
        value = list(struct.unpack("<3f", base64.b64decode(value)))
    assert value == [0.5, 0.5, 0.5]
    assert answer.json()["usage"] == {"prompt_tokens": 7, "total_tokens": 7, "cost_rub": "0.001400"}
    assert answer.headers["x-razvilka-cost-micro-rub"] == "1400"


@pytest.mark.parametrize(("path", "model"), [(EMBED, "text-embeddings"), ("/v1/tokenize", "yandexgpt")])
async def test_a_text_that_is_too_long_is_the_input(edge: Edge, backends: Backends, path: str, model: str) -> None:
    """There are no messages: the caller reads which of its own fields to shorten."""
    words = "'messages' is too long."
    backends.router.failure = InvalidRequest(ErrorReason.CONTEXT_LENGTH_EXCEEDED, words, param="messages")

    refused = await edge.client.post(path, json={"model": model, "input": "а"})

    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (400, "context_length_exceeded")
    assert (error["param"], error["message"]) == ("input", "'input' is too long.")
