"""Known facts of the providers that stand in no other test; docs/provider-facts.md says which is tested where."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from servicekit import lifecycle
from servicekit.clock import SystemClock
from servicekit.errors import ServiceError
from services.router.domain.completion import Batch, EmbeddingInput, FinishReason
from services.router.providers.gigachat.provider import GigaChatProvider
from services.router.providers.gigachat.replies import GigaChatReplies
from services.router.providers.gigachat.settings import GigaChatSettings
from services.router.providers.openai_dialect.replies import OpenAIReplies
from services.router.providers.provider import ProviderCall
from services.router.providers.transport.http import open_http
from services.router.providers.transport.settings import WebImageSettings
from services.router.providers.transport.web_images import open_web_images
from services.router.providers.yandexgpt.provider import YandexGPTProvider
from services.router.providers.yandexgpt.quirks import QUIRKS
from services.router.providers.yandexgpt.replies import NativeReplies
from services.router.providers.yandexgpt.settings import YandexSettings
from services.router.tests.adapters import (
    FILE_IDS,
    IDS,
    PATIENT,
    MemoryDeferred,
    MemoryShare,
    ask,
    call_for,
    hear,
    model,
)
from services.router.tests.providers.bodies import body

CLOCK = SystemClock()
NATIVE, V1, GIGACHAT = NativeReplies(IDS, 0, CLOCK), OpenAIReplies(IDS, CLOCK, QUIRKS), GigaChatReplies(IDS, CLOCK)


class Seen:
    """A provider that writes down what it is sent, and answers each kind of call."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: dict[str, Any] = {}

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append((request.path, {k.lower(): v for k, v in request.headers.items()}, await request.read()))
        return web.json_response(self.answers.get(request.path.rpartition("/")[2], {}), headers={"x-request-id": "its"})


@asynccontextmanager
async def seen_by(**yandex: Any) -> AsyncIterator[tuple[Seen, YandexGPTProvider, GigaChatProvider]]:
    """Yield both providers' adapters, pointed at one that writes down what it is sent."""
    seen, app = Seen(), web.Application()
    app.router.add_route("*", "/{path:.*}", seen.handle)
    alternative = {"message": {"text": "да"}, "status": "ALTERNATIVE_STATUS_FINAL"}
    choice = {"message": {"content": "да", "role": "assistant"}, "finish_reason": "stop", "index": 0}
    seen.answers = {
        "completion": {"result": {"alternatives": [alternative]}},
        "completions": {"choices": [choice], "model": "GigaChat-2-Max:1"},
        "textEmbedding": {"embedding": [0.5], "numTokens": "1"},
        "oauth": {"access_token": "token", "expires_at": int(CLOCK.now().timestamp() * 1000) + 1_800_000},
    }
    async with (
        TestServer(app) as server,
        open_http(PATIENT) as http,
        lifecycle.background() as tasks,
        open_web_images(WebImageSettings()) as images,
    ):
        base = str(server.make_url("")).rstrip("/")
        settings = YandexSettings(**{"api_key": "AQVN-key", "folder_id": "b1gfolder", "base_url": base, **yandex})
        gigachat = GigaChatSettings(
            credentials="a2V5OnNlY3JldA==",
            base_url=f"{base}/v1",
            auth_url=f"{base}/api/v2/oauth",
            scope="GIGACHAT_API_CORP",
        )
        yield (
            seen,
            YandexGPTProvider(settings, http, IDS, CLOCK, MemoryDeferred()),
            GigaChatProvider(
                gigachat, http, IDS, MemoryShare(), tasks, CLOCK, uuid4, images, FILE_IDS, MemoryDeferred()
            ),
        )


@pytest.mark.parametrize(
    ("name", "path"),
    [("yandexgpt:latest", "/foundationModels/v1/completion"), ("aliceai-llm-flash", "/v1/chat/completions")],
)
async def test_yandex_is_told_key_folder_and_ids_and_may_log_nothing(name: str, path: str) -> None:
    """1.1, 1.2: `Api-Key` on both surfaces; logging of prompts is on unless it is switched off."""
    async with seen_by() as (seen, yandex, _):
        call = ProviderCall(model(name), "0197-request", {})
        await yandex.complete(ask(), call)

    ((where, headers, _),) = seen.requests
    assert where == path
    assert headers["authorization"] == "Api-Key AQVN-key"
    assert headers["x-data-logging-enabled"] == "false"
    assert headers["x-client-request-id"] == "0197-request"
    assert (headers["x-folder-id"], headers["openai-project"]) == ("b1gfolder", "b1gfolder")
    assert call.provider_request_id == "its"


async def test_an_iam_token_is_a_bearer() -> None:
    """1.2: not under the word of the keys."""
    async with seen_by(api_key="", iam_token="t1.token") as (seen, yandex, _):
        await yandex.complete(ask(), call_for("native"))

    assert seen.requests[0][1]["authorization"] == "Bearer t1.token"


async def test_models_are_told_by_their_addresses() -> None:
    """1.3: the folder is in each; a bare name is refused, an address of one's own is kept."""
    own = replace(model("yandexgpt:latest"), resolved_model="gpt://b1gother/yandexgpt-lite/latest@tamr1")
    async with seen_by() as (seen, yandex, _):
        await yandex.complete(ask(), call_for("native"))
        await yandex.complete(ask(), call_for("v1"))
        await yandex.complete(ask(), ProviderCall(own, "", {}))
        await yandex.embed(EmbeddingInput("", ["раз"]), ProviderCall(model("text-search-query"), "", {}))

    told = [json.loads(sent) for _, _, sent in seen.requests]
    assert [each.get("modelUri") or each["model"] for each in told] == [
        "gpt://b1gfolder/yandexgpt-5-pro",
        "gpt://b1gfolder/aliceai-llm-flash",
        "gpt://b1gother/yandexgpt-lite/latest@tamr1",
        "emb://b1gfolder/text-search-query/latest",
    ]


async def test_gigachat_s_token_is_asked_for_in_its_own_way() -> None:
    """2.2: a ready-made Basic key, a fresh uuid4, the scope as a form; then a bearer."""
    async with seen_by() as (seen, _, gigachat):
        await gigachat.complete(ask(), call_for("gigachat"))

    (token_path, token, form), (path, headers, _) = seen.requests
    assert (token_path, form) == ("/api/v2/oauth", b"scope=GIGACHAT_API_CORP")
    assert token["authorization"] == "Basic a2V5OnNlY3JldA=="
    assert UUID(token["rquid"]).version == 4
    assert token["content-type"] == "application/x-www-form-urlencoded"
    assert (path, headers["authorization"]) == ("/v1/chat/completions", "Bearer token")
    assert headers["x-request-id"] == "0197-request"


async def test_gigachat_s_streams_are_asked_for_as_its_sdk_does() -> None:
    """2.2: `Accept` and `Cache-Control`."""
    async with seen_by() as (seen, _, gigachat):
        with pytest.raises(ServiceError):
            _ = [batch async for batch in gigachat.stream(ask(), call_for("gigachat"))]

    headers = seen.requests[-1][1]
    assert (headers["accept"], headers["cache-control"]) == ("text/event-stream", "no-store")


def native_line(alternative: dict[str, Any]) -> bytes:
    return json.dumps({"result": {"alternatives": [alternative]}}).encode()


@pytest.mark.parametrize(
    ("status", "finish"),
    [
        ("ALTERNATIVE_STATUS_FINAL", FinishReason.STOP),
        ("ALTERNATIVE_STATUS_TRUNCATED_FINAL", FinishReason.LENGTH),
        ("ALTERNATIVE_STATUS_CONTENT_FILTER", FinishReason.CONTENT_FILTER),
        ("ALTERNATIVE_STATUS_UNSPECIFIED", FinishReason.STOP),
        ("ALTERNATIVE_STATUS_OF_TOMORROW", FinishReason.STOP),
    ],
)
def test_each_status_of_yandex_has_its_finish_reason(status: str, finish: FinishReason) -> None:
    """1.5: one that nobody knows ends an answer all the same."""
    line = native_line({"message": {"role": "assistant", "text": "да"}, "status": status})

    answer, _ = NATIVE.whole_answer(line, ask())
    batch = NATIVE.answer_stream(ask()).feed([line])

    assert answer.choices[0].finish_reason is finish
    assert hear([batch or Batch([])]).finish is finish


@pytest.mark.parametrize(
    ("said", "arguments"),
    [({"id": 5.0, "share": 0.5}, '{"id":5,"share":0.5}'), ('{"id": 5}', '{"id": 5}'), (None, "{}")],
)
def test_arguments_come_as_an_object_or_as_text(said: Any, arguments: str) -> None:
    """1.4: a Struct knows doubles only; 2.4: an object on the wire, text in the specification."""
    calls = {"toolCalls": [{"functionCall": {"name": "f", "arguments": said}}]}
    line = native_line({"message": {"toolCallList": calls}, "status": "ALTERNATIVE_STATUS_TOOL_CALLS"})
    message = {"content": "", "function_call": {"name": "f", "arguments": said}}
    whole = json.dumps({"choices": [{"message": message, "finish_reason": "function_call"}]}).encode()

    for answer, _ in (NATIVE.whole_answer(line, ask()), GIGACHAT.whole_answer(whole, ask())):
        assert [call.arguments for call in answer.choices[0].tool_calls] == [arguments]


@pytest.mark.parametrize("dialect", ["native", "v1", "gigachat"])
def test_streams_are_asked_for_without_what_the_provider_does_not_have(dialect: str) -> None:
    """1.7: `stream_options` and `stop` are unknown on /v1; 2.3: absent from GigaChat."""
    made, dropped = body(dialect, ask(stop=["x"], n=2))

    assert not {"stream_options", "stop", "n"} & set(made)
    assert dropped == []


def heard_of_v1(*events: dict[str, Any]) -> Any:
    stream = V1.answer_stream(ask())
    frames = [json.dumps({"choices": [{"index": 0, **event}]}).encode() for event in events]
    return hear([stream.feed([frame]) or Batch([]) for frame in [*frames, b"[DONE]"]])


def test_a_stream_that_says_no_end_after_a_call_ends_with_the_call() -> None:
    """1.7: Alice AI's, asked with `auto`."""
    call = {"index": 0, "id": "f", "type": "function", "function": {"name": "f", "arguments": "{}"}}

    assert heard_of_v1({"delta": {"tool_calls": [call]}}).finish is FinishReason.TOOL_CALLS
    assert heard_of_v1({"delta": {"content": "да"}}).finish is FinishReason.STOP


def test_reasoning_is_kept_apart_from_the_answer() -> None:
    """1.7, 2.4: `reasoning_content`, whole and streamed."""
    for replies in (V1, GIGACHAT):
        message = {"content": "да", "reasoning_content": "подумав"}
        whole = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
        frame = json.dumps({"choices": [{"index": 0, "delta": message, "finish_reason": "stop"}]}).encode()

        answer, _ = replies.whole_answer(whole, ask())
        batch = replies.answer_stream(ask()).feed([frame])

        assert batch is not None
        assert (answer.choices[0].content, answer.choices[0].reasoning_content) == ("да", "подумав")
        assert (batch.deltas[0].content, batch.deltas[0].reasoning_content) == ("да", "подумав")


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        ("stop", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("function_call", FinishReason.TOOL_CALLS),
        ("blacklist", FinishReason.CONTENT_FILTER),
        ("of_tomorrow", FinishReason.STOP),
    ],
)
def test_each_finish_of_gigachat_has_its_own(said: str, finish: FinishReason) -> None:
    """2.4; of a call with one."""
    call = {"function_call": {"name": "f", "arguments": {}}} if said == "function_call" else {}
    whole = {"choices": [{"message": {"content": "да", **call}, "finish_reason": said}]}

    assert GIGACHAT.whole_answer(json.dumps(whole).encode(), ask())[0].choices[0].finish_reason is finish
