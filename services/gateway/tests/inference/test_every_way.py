"""The same question is the same by every way: in the form of each API, whole and streamed, alone and in a list."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

import httpx
import pytest
from razvilka.router.v1 import router_pb2 as pb
from razvilka.usage.v1 import usage_pb2

from servicekit.errors import ErrorReason, InvalidRequest, Unavailable
from services.gateway.settings import StreamSettings
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.tests.inference.idempotent_calls import keyed
from services.gateway.tests.inference.stream_calls import line_with

TEXT: Final = "/v1/completions"
TWO: Final[dict[str, Any]] = {"model": "yandexgpt", "prompt": ["раз", "два"], "models": ["gigachat-pro"]}
MESSAGES: Final = [{"role": "user", "content": "Скажи привет"}]
# Each form of the same chat.
FORMS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "a chat": ("/v1/chat/completions", {"model": "yandexgpt", "messages": MESSAGES, "max_tokens": 100}),
    "a text": (TEXT, {"model": "yandexgpt", "prompt": "Скажи привет", "max_tokens": 100}),
    "a message": ("/v1/messages", {"model": "yandexgpt", "messages": MESSAGES, "max_tokens": 100}),
    "a response": ("/v1/responses", {"model": "yandexgpt", "input": "Скажи привет", "max_output_tokens": 100}),
}
# Of the way itself, of the one request, or of the moment.
OF_THE_WAY: Final = {"endpoint", "stream", "request_id", "trace_id", "started_at", "latency_ms", "first_token_ms"}


def told(row: usage_pb2.UsageRecord) -> dict[str, str]:
    """Return what a row says of the question and its answer."""
    fields = [field.name for field in row.DESCRIPTOR.fields if field.name not in OF_THE_WAY | {"queue_ms"}]
    return {name: str(getattr(row, name)) for name in fields}


async def asked(edge: Edge, backends: Backends, path: str, body: dict[str, Any]) -> dict[str, str]:
    """Ask, and return what the row says."""
    answer = await edge.client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return told(await backends.usage.row(answer.headers["x-request-id"]))


def said_twice(answer: httpx.Response) -> list[str]:
    """Return the names of headers that stand there more than once."""
    names = [name for name, _ in answer.headers.multi_items()]
    return [name for name in set(names) if names.count(name) > 1]


async def test_the_books_say_the_same_of_a_question_in_every_form(edge: Edge, backends: Backends) -> None:
    """Who answered, in whose place, what was left out, tokens of each kind, cost, price, digest, end."""
    router = backends.router
    router.thought, router.stands_in, router.dropped = "Думаю", True, ["seed"]
    router.tool_calls = [pb.ToolCall(id="c1", name="f", arguments="{}")]
    router.finish = pb.FINISH_REASON_TOOL_CALLS

    rows = {
        f"{name}, {'streamed' if stream else 'whole'}": await asked(edge, backends, path, {**body, "stream": stream})
        for name, (path, body) in FORMS.items()
        for stream in (False, True)
    }

    first = rows["a chat, whole"]
    assert first["fallbacks"] == "1"
    assert rows == dict.fromkeys(rows, first)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_list_of_prompts_that_a_stand_in_answered_says_so(edge: Edge, backends: Backends, stream: bool) -> None:
    """Only the first prompt finds the model asked for gone: those behind are put to the stand-in alone."""
    backends.router.answering_model, backends.router.stands_in = "gigachat-pro", True

    row = await asked(edge, backends, TEXT, {**TWO, "stream": stream})

    assert (row["model"], row["fallbacks"]) == ("gigachat-pro", "1")


async def test_a_streamed_list_of_prompts_says_once_who_answered(edge: Edge) -> None:
    """Its retry got the headers of each prompt."""
    first, again = [
        await edge.client.post(TEXT, json={**TWO, "stream": True}, headers=keyed("list-1")) for _ in range(2)
    ]

    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["x-razvilka-model"] == first.headers["x-razvilka-model"]
    assert said_twice(again) == []


async def test_the_books_have_the_end_of_the_first_choice_whichever_ends_first(edge: Edge, backends: Backends) -> None:
    """A second choice that was cut short in a stream is not how the answer ended; of a whole one it never was."""
    cut = pb.Delta(choice_index=1, content="При", finish_reason=pb.FINISH_REASON_LENGTH)
    backends.router.ends_before = [cut]
    path, body = FORMS["a chat"]

    row = await asked(edge, backends, path, {**body, "n": 2, "stream": True})

    assert row["finish_reason"] == "stop"


# A field of the chat -> what each form calls it.
FIELDS: Final = {
    "a chat": ("messages[0].content", "messages[0].content"),
    "a text": ("messages[0].content", "prompt"),
    "a message": ("response_format.json_schema.schema", "output_config.format.schema"),
    "a response": ("max_completion_tokens", "max_output_tokens"),
}


@pytest.mark.parametrize(("name", "field", "own"), [(name, *pair) for name, pair in FIELDS.items()], ids=FIELDS)
async def test_a_refusal_that_comes_late_in_a_stream_names_the_callers_field(
    start_gateway: StartGateway, backends: Backends, name: str, field: str, own: str
) -> None:
    """As one that comes before the headers have left, and as that of a plain answer."""
    edge = await start_gateway(stream=StreamSettings(headers_s=0.05))
    backends.router.failure = InvalidRequest(ErrorReason.INVALID_PARAMETERS, f"No '{field}'.", param=field)
    path, body = FORMS[name]
    plain = (await edge.client.post(path, json=body)).json()["error"]

    backends.router.hold, backends.router.hold_at = asyncio.Event(), 0
    async with edge.client.stream("POST", path, json={**body, "stream": True}) as answer:
        lines = answer.aiter_lines()
        await line_with(": keep-alive", lines)
        backends.router.hold.set()
        last = [json.loads(line[6:]) async for line in lines if line.startswith("data: {")][-1]

    error = last["response"]["error"] if name == "a response" else last["error"]
    assert (plain["param"], plain["message"]) == (own, f"No '{own}'.")
    assert (error["param"], error["message"]) == (own, f"No '{own}'.")


@pytest.mark.parametrize("name", FORMS)
async def test_a_stream_that_breaks_off_says_when_to_try_again(edge: Edge, backends: Backends, name: str) -> None:
    """Its headers have left: the error says what `Retry-After` does of others, in whole seconds."""
    backends.router.failure = Unavailable(ErrorReason.PROVIDER_UNAVAILABLE, "The provider is down.", retry_after_s=6.2)
    path, body = FORMS[name]
    plain = await edge.client.post(path, json=body)

    backends.router.fail_at = 1
    broken = await edge.client.post(path, json={**body, "stream": True})

    last = json.loads(broken.text.split("data: ")[-1])
    error = last["response"]["error"] if name == "a response" else last["error"]
    assert (broken.status_code, error["details"]["partial"]) == (200, "true")
    assert error["details"]["retry_after"] == plain.headers["retry-after"] == "7"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_failure_that_is_billed_says_what_it_cost(edge: Edge, backends: Backends, stream: bool) -> None:
    """The first of two prompts was answered: whoever paid for it reads that in the error, whole or streamed."""
    backends.router.failure = Unavailable(ErrorReason.PROVIDER_UNAVAILABLE, "The provider is down.")
    backends.router.fail_from_call = 2

    broken = await edge.client.post(TEXT, json={**TWO, "stream": stream})

    error = json.loads(broken.text.split("data: ")[-1])["error"]
    row = await backends.usage.row(broken.headers["x-request-id"])
    assert (error["code"], row.cost_micro_rub > 0) == ("provider_unavailable", True)
    assert error["details"]["cost_rub"] == f"{row.cost_micro_rub / 1e6:f}"
    assert stream or broken.headers["x-razvilka-cost-micro-rub"] == str(row.cost_micro_rub)


async def test_a_failure_that_costs_nothing_names_no_cost(edge: Edge, backends: Backends) -> None:
    """Nothing was made."""
    backends.router.failure = Unavailable(ErrorReason.PROVIDER_UNAVAILABLE, "The provider is down.")

    failed = await edge.client.post(TEXT, json=TWO)

    assert "cost_rub" not in failed.json()["error"]["details"]
    assert "x-razvilka-cost-micro-rub" not in failed.headers


@pytest.mark.parametrize("name", ["a chat", "a text"])
async def test_a_stream_says_which_build_of_the_model_answered(edge: Edge, name: str) -> None:
    """In the chunk that ends the choice and in that of the usage, as it is known at the end; as a plain answer does."""
    path, body = FORMS[name]
    plain = (await edge.client.post(path, json=body)).json()
    streamed = await edge.client.post(path, json={**body, "stream": True, "stream_options": {"include_usage": True}})

    chunks = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: {")]
    assert plain["system_fingerprint"] == "build-7"
    assert [chunk.get("system_fingerprint") for chunk in chunks[-3:]] == [None, "build-7", "build-7"]
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(("name", "counting"), [("a message", "count_tokens"), ("a response", "input_tokens")])
async def test_what_is_left_out_is_named_where_its_tokens_are_counted(edge: Edge, name: str, counting: str) -> None:
    """As where it is asked: what is counted is less than what was sent."""
    path, body = FORMS[name]
    sent = {**body, "tools": [{"type": "web_search_20250305", "name": "web_search"}], "whatever": 1}

    answers = [await edge.client.post(where, json=sent) for where in (path, f"{path}/{counting}")]

    assert [answer.status_code for answer in answers] == [200, 200]
    named = {answer.headers["x-razvilka-dropped-params"] for answer in answers}
    assert named == {"whatever, tools[0]=web_search_20250305"}
