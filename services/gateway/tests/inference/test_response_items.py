"""Items of the Responses API: what histories hold, how they are referred to and listed, how errors name them."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from typing import Any, Final

import pytest
from openai.types.responses import Response, ResponseItem, ResponseStreamEvent
from pydantic import TypeAdapter
from razvilka.router.v1 import router_pb2 as pb

from servicekit.errors import ErrorReason, InvalidRequest, ProviderFailed
from services.gateway.clients.completion import Delta
from services.gateway.inference.responses.bodies import ResponseHead
from services.gateway.inference.responses.frames import ResponseFrames
from services.gateway.inference.responses.kept import item_id, new_response_id, response_of
from services.gateway.inference.responses.schemas import ResponsesRequest
from services.gateway.inference.responses.turns import name_in_chat
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.inference.idempotent_calls import is_replay, post
from services.gateway.tests.inference.test_responses import HELLO, PATH, WEATHER, call_weather, events

PICTURE: Final = {"type": "input_image", "image_url": "data:image/png;base64,aGk="}
CALL: Final = {"type": "function_call", "name": "weather", "arguments": "{}", "call_id": "call_1"}
RESULT: Final = {"type": "function_call_output", "call_id": "call_1"}
EVENT: Final[TypeAdapter[Any]] = TypeAdapter(ResponseStreamEvent)
HOSTED: Final = [
    {"type": "file_search", "vector_store_ids": ["vs_1"]},
    {"type": "custom", "name": "patch", "format": {"type": "text"}},
]

# A field of the chat that a body becomes -> the field of the body.
FIELDS: Final = [
    ("messages[0].content", "instructions.content"),
    ("messages[1].content[1].image_url.url", "input[0].content[1].image_url"),
    ("messages[2].tool_calls[0].function.arguments", "input[1].arguments"),
    ("messages[3].tool_call_id", "input[2].call_id"),
    ("messages[4].content[0].type", "input[2].output[0].type"),
    ("tools[0].function.parameters.type", "tools[1].parameters.type"),
    ("response_format.json_schema.schema", "text.format.schema"),
    ("reasoning_effort", "reasoning.effort"),
    ("max_completion_tokens", "max_output_tokens"),
    ("temperature", "temperature"),
]


@pytest.mark.parametrize("change", [{}, {"tools": [WEATHER, *HOSTED]}], ids=["text", "tools"])
async def test_every_object_is_one_of_the_official_types(
    edge: Edge, backends: Backends, change: dict[str, Any]
) -> None:
    """Strictly: the client's own models take what it gathers without checking it."""
    if change:
        call_weather(backends)

    whole = await edge.client.post(PATH, json={**HELLO, **change})
    streamed = await edge.client.post(PATH, json={**HELLO, **change, "stream": True})

    response = TypeAdapter(Response).validate_python(whole.json())
    assert response.usage is not None
    kinds = {EVENT.validate_python(event).type for event in events(streamed.text)}
    assert {"response.created", "response.completed"} < kinds
    assert [tool["type"] for tool in whole.json()["tools"]] == ["function", "file_search", "custom"][: 3 * bool(change)]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_an_item_may_be_named_by_its_id(edge: Edge, backends: Backends, streamed: bool) -> None:
    """As clients do that count on what is stored: the call and its text are told again, without being sent."""
    call_weather(backends)
    first = await edge.client.post(PATH, json={**HELLO, "tools": [WEATHER], "stream": streamed})
    output = (events(first.text)[-1]["response"] if streamed else first.json())["output"]

    for typed in ({"type": "item_reference"}, {"type": None}, {}):
        references = [{**typed, "id": item["id"]} for item in output]
        second = await edge.client.post(PATH, json={**HELLO, "input": [*references, {**RESULT, "output": "тепло"}]})

        assert second.status_code == 200, second.text
        said, told = backends.router.prompts[-1].messages
        assert (said.content, said.tool_calls[0].id, told.content) == ("Привет!", "call_1", "тепло")


async def test_a_reference_to_nothing_is_not_found(edge: Edge) -> None:
    """An id that is not ours, one of a response that was not kept, and one that the response does not have."""
    unkept = (await edge.client.post(PATH, json={**HELLO, "store": False})).json()
    kept = (await edge.client.post(PATH, json=HELLO)).json()

    for named in ("msg_1", "", "я" * 60, unkept["output"][0]["id"], item_id("msg", kept["id"], 7)):
        reference = {"type": "item_reference", "id": named}
        answer = await edge.client.post(PATH, json={**HELLO, "input": [{"role": "user", "content": "?"}, reference]})

        assert (answer.status_code, answer.json()["error"]["param"]) == (404, "input[1].id"), named


def test_the_id_of_an_item_says_whose_it_is() -> None:
    """And is no longer than OpenAI allows."""
    response_id = new_response_id("01a224af-61b3-7793-8114-e22dfffb19b6")

    named = item_id("msg", response_id, 3)

    assert response_of(named) == response_id
    assert len(named) <= 64


async def test_pictures_that_calls_return_are_shown(edge: Edge, backends: Backends) -> None:
    """A chat's results are text: what else there is follows the last of them."""
    other = {**CALL, "call_id": "call_2"}
    results = [{**RESULT, "output": [PICTURE]}, {**RESULT, "call_id": "call_2", "output": "сухо"}]

    answer = await edge.client.post(PATH, json={**HELLO, "input": [CALL, other, *results], "tools": [WEATHER]})

    assert answer.status_code == 200, answer.text
    roles = [message.role for message in backends.router.prompts[-1].messages]
    assert roles == [pb.ROLE_ASSISTANT, pb.ROLE_TOOL, pb.ROLE_TOOL, pb.ROLE_USER]
    assert [part.type for part in backends.router.prompts[-1].messages[-1].parts] == ["image_url"]


async def test_histories_of_other_servers_go_on_here(edge: Edge, backends: Backends) -> None:
    """Calls of custom tools are calls; what OpenAI's servers did by themselves is left out and named."""
    history = [
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}},
        {"type": "custom_tool_call", "call_id": "call_1", "name": "patch", "input": "*** Begin"},
        {"type": "custom_tool_call_output", "call_id": "call_1", "output": "готово"},
        {"role": "user", "content": "дальше"},
    ]

    answer = await edge.client.post(PATH, json={**HELLO, "input": history, "reasoning": {"effort": "max"}})

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-razvilka-dropped-params"] == "input[].web_search_call"
    called, told, _ = backends.router.prompts[-1].messages
    assert json.loads(called.tool_calls[0].arguments) == {"input": "*** Begin"}
    assert told.content == "готово"
    assert backends.router.prompts[-1].reasoning_effort == "max"


async def test_what_a_provider_refuses_is_named_as_the_caller_wrote_it(edge: Edge, backends: Backends) -> None:
    """The chat between them has other paths."""
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "?"}, PICTURE]},
        CALL,
        {**RESULT, "output": [PICTURE]},
    ]
    body = {**HELLO, "instructions": "Кратко", "input": items, "tools": [HOSTED[0], WEATHER]}

    for field, named in FIELDS:
        backends.router.failure = InvalidRequest(ErrorReason.INVALID_PARAMETERS, f"'{field}' will not do.", param=field)
        error = (await edge.client.post(PATH, json=body)).json()["error"]

        assert (error["param"], error["message"]) == (named, f"'{named}' will not do.")


async def test_items_are_listed_newest_first_and_by_pages(edge: Edge) -> None:
    """As OpenAI does; short forms are written out in full, so that its types take them."""
    spoken = [{"role": "user", "content": "раз"}, {"role": "assistant", "content": "два"}, CALL]
    made = (await edge.client.post(PATH, json={**HELLO, "input": [*spoken, {**RESULT, "output": "три"}]})).json()
    path = f"{PATH}/{made['id']}/input_items"

    newest = (await edge.client.get(path, params={"limit": 3})).json()
    rest = (await edge.client.get(path, params={"after": newest["last_id"]})).json()
    oldest = (await edge.client.get(path, params={"order": "asc", "limit": 1})).json()
    unknown = await edge.client.get(path, params={"after": "item_x"})

    kinds = [TypeAdapter(ResponseItem).validate_python(item).type for item in newest["data"] + rest["data"]]
    assert kinds == ["function_call_output", "function_call", "message", "message"]
    assert (newest["has_more"], rest["has_more"]) == (True, False)
    assert oldest["data"] == rest["data"]
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (400, "after")


async def test_an_item_that_was_sent_twice_does_not_turn_the_pages_back(edge: Edge) -> None:
    """Also one that is called as those are that came without an id."""
    ids = ["msg_1", "msg_2", "msg_1", "item_4", "", "item_4"]
    items = [{"role": "user", "content": f"{number}", "id": id} for number, id in enumerate(ids)]
    made = (await edge.client.post(PATH, json={**HELLO, "input": items})).json()
    path = f"{PATH}/{made['id']}/input_items"

    said: list[str] = []
    page: dict[str, Any] = {"has_more": True}
    while page["has_more"] and len(said) < 2 * len(items):
        after = {"after": page["last_id"]} if said else {}
        page = (await edge.client.get(path, params={"limit": 1, "order": "asc", **after})).json()
        said += [item["content"][0]["text"] for item in page["data"]]

    assert said == ["0", "1", "2", "3", "4", "5"]


async def test_a_response_is_not_streamed_again(edge: Edge) -> None:
    """A client that waits for events must not be given an object."""
    made = (await edge.client.post(PATH, json=HELLO)).json()

    answer = await edge.client.get(f"{PATH}/{made['id']}", params={"stream": "true"})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "stream")


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_an_answer_that_is_too_large_to_be_kept_says_so(edge: Edge, streamed: bool) -> None:
    """`store` is false in what the caller gets, for a next turn cannot name it; and in what a retry gets."""
    picture = {**PICTURE, "image_url": f"data:image/png;base64,{b64encode(os.urandom(1_500_000)).decode()}"}
    asked = {**HELLO, "input": [{"role": "user", "content": [picture]}], "stream": streamed}

    answer, again = [await post(edge.client, asked, path=PATH) for _ in range(2)]

    response = events(answer.text)[-1]["response"] if streamed else answer.json()
    assert (response["status"], response["store"]) == ("completed", False)
    assert (again.content, is_replay(again)) == (answer.content, True)
    assert (await edge.client.get(f"{PATH}/{response['id']}")).status_code == 404


async def test_tokens_are_counted_without_asking_anybody(edge: Edge, backends: Backends) -> None:
    """POST /v1/responses/input_tokens takes the same body, and costs nothing."""
    short = await edge.client.post(f"{PATH}/input_tokens", json=HELLO)
    long = await edge.client.post(f"{PATH}/input_tokens", json={**HELLO, "instructions": "Отвечай подробно. " * 20})

    assert short.json()["object"] == "response.input_tokens"
    assert 0 < short.json()["input_tokens"] < long.json()["input_tokens"]
    assert backends.router.prompts == []


async def test_what_is_not_offered_is_refused_with_what_to_do_instead(edge: Edge) -> None:
    """In both forms that OpenAI takes; a file by its address too."""
    linked = {"type": "input_file", "file_url": "https://example.com/a.pdf"}
    for change in (
        {"conversation": "conv_1"},
        {"conversation": {"id": "conv_1"}},
        {"prompt": {"id": "p"}},
        {"input": [{"role": "user", "content": [linked]}]},
    ):
        error = (await edge.client.post(PATH, json={**HELLO, **change})).json()["error"]

        assert (error["code"], "is not offered here: " in error["message"]) == ("unsupported_parameter", True), change


@pytest.mark.parametrize("fail_at", [0, 2], ids=["at once", "on the way"])
@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (ErrorReason.PROVIDER_ERROR, "server_error"),
        (ErrorReason.PROVIDER_RATE_LIMITED, "rate_limit_exceeded"),
        (ErrorReason.CONTENT_FILTER, "invalid_prompt"),
    ],
)
def test_a_failed_stream_is_one_of_the_official_types(fail_at: int, reason: ErrorReason, code: str) -> None:
    """It begins as every stream does, even if there is nothing else; what was being made is not complete."""
    head = ResponseHead(new_response_id("01a224af-61b3-7793-8114-e22dfffb19b6"), 1, ResponsesRequest("m", "x"))
    frames = ResponseFrames(head)
    delta = Delta(index=0, content="Да", reasoning="", tool_calls=(), finish_reason="")

    sent = b"".join(frames.deltas([delta]) for _ in range(fail_at))
    sent += frames.error(ProviderFailed(reason, "broke off"), "request-1")

    found = [EVENT.validate_python(event) for event in events(sent.decode())]
    assert [event.type for event in found][:2] == ["response.created", "response.in_progress"]
    assert found[-1].response.error.code == code
    assert [item.status for item in found[-1].response.output] == ["incomplete"][:fail_at]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_functions_of_a_namespace_are_called_by_both_names(
    edge: Edge, backends: Backends, streamed: bool
) -> None:
    """As coding agents send the tools of their MCP servers: the chat knows one name, the caller both."""
    crm = {"type": "namespace", "name": "mcp__crm", "description": "Клиенты", "tools": [WEATHER, HOSTED[1]]}
    backends.router.tool_calls = [pb.ToolCall(id="call_1", name="mcp__crm__weather", arguments="{}")]
    backends.router.finish = pb.FINISH_REASON_TOOL_CALLS

    answer = await edge.client.post(PATH, json={**HELLO, "tools": [crm], "stream": streamed})
    response = events(answer.text)[-1]["response"] if streamed else answer.json()
    call = response["output"][-1]
    again = await edge.client.post(PATH, json={**HELLO, "tools": [crm], "input": [call, {**RESULT, "output": "тепло"}]})

    assert answer.headers["x-razvilka-dropped-params"] == "tools[0].tools[1]=custom"
    assert [tool.name for tool in backends.router.prompts[0].tools] == ["mcp__crm__weather"]
    assert (call["namespace"], call["name"]) == ("mcp__crm", "weather")
    assert again.status_code == 200, again.text
    assert backends.router.prompts[-1].messages[0].tool_calls[0].name == "mcp__crm__weather"


def test_long_names_stay_short_and_apart() -> None:
    """A function's name has 64 letters at most."""
    one, other = (name_in_chat("a" * 60 + letter, "mcp__server") for letter in "xy")

    assert (len(one), len(other), one == other) == (64, 64, False)


async def test_functions_that_a_chat_cannot_tell_apart_are_refused(edge: Edge) -> None:
    """`a` has `b__c` and `a__b` has `c`: whose call it is nobody could say."""
    one = {"type": "namespace", "name": "a", "tools": [{**WEATHER, "name": "b__c"}]}
    other = {"type": "namespace", "name": "a__b", "tools": [{**WEATHER, "name": "c"}]}

    answer = await edge.client.post(PATH, json={**HELLO, "tools": [one, other]})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "tools[1].tools[0].name")
