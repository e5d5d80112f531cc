"""The Messages API as strangers use it: official types, histories of other servers, names of fields, models."""

from __future__ import annotations

from typing import Any, Final, get_args, get_type_hints

import anthropic
import msgspec
import pytest
from anthropic.types import Message, RawMessageStreamEvent, ThinkingConfigParam
from pydantic import TypeAdapter
from razvilka.router.v1 import router_pb2 as pb

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.clients.completion import Delta
from services.gateway.inference.anthropic.frames import MessageFrames
from services.gateway.inference.openai_bodies import AnswerHead
from services.gateway.metering.usage_record import TokenUsage
from services.gateway.tests.backends import KEY, Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.inference.test_messages import HELLO, PATH, WEATHER, events, official

PICTURE: Final = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
EVENT: Final[TypeAdapter[Any]] = TypeAdapter(RawMessageStreamEvent)

# A field of the chat that a body becomes -> the field of the body.
FIELDS: Final = [
    ("messages[0].content", "system.content"),
    ("messages[1].tool_call_id", "messages[0].content[0].tool_use_id"),
    ("messages[2].content[1].image_url.url", "messages[0].content[2].source"),
    ("messages[3].tool_calls[0].function.arguments", "messages[1].content[1].input"),
    ("tools[0].function.parameters.type", "tools[1].input_schema.type"),
    ("response_format.json_schema.schema", "output_config.format.schema"),
    ("stop", "stop_sequences"),
]


def turn(*blocks: dict[str, Any]) -> dict[str, Any]:
    """Return a body with one turn of a user."""
    return {**HELLO, "messages": [{"role": "user", "content": [*blocks]}]}


async def test_every_object_is_one_of_the_official_types(edge: Edge) -> None:
    """Strictly: the client's own models take what it gathers without checking it."""
    whole = await edge.client.post(PATH, json=HELLO)
    streamed = await edge.client.post(PATH, json={**HELLO, "stream": True})

    assert TypeAdapter(Message).validate_python(whole.json()).stop_reason == "end_turn"
    kinds = [EVENT.validate_python(event).type for event in events(streamed.text)]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")


def test_a_thought_begins_as_its_clients_read_it() -> None:
    """With a signature, if an empty one: they take it from where the block begins."""
    frames = MessageFrames(AnswerHead("msg_1", 0, "m"), input_tokens=1, names={})
    delta = Delta(index=0, content="Да", reasoning="надо", tool_calls=(), finish_reason="stop")

    sent = frames.deltas([delta])
    sent += frames.end(TokenUsage(3, 2, 0, 1), 5)

    begun = [EVENT.validate_python(event) for event in events(sent.decode())][1]
    assert begun.content_block.signature == ""


async def test_histories_of_other_servers_go_on_here(edge: Edge, backends: Backends) -> None:
    """What Anthropic's servers did by themselves is left out and named; so are efforts newer than ours passed on."""
    searched = [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "text", "text": "Нашёл", "citations": []},
    ]
    messages = [*HELLO["messages"], {"role": "assistant", "content": searched}, *HELLO["messages"]]
    tools = [{"type": "mcp_toolset", "mcp_server_name": "x"}]

    answer = await edge.client.post(
        PATH, json={**HELLO, "messages": messages, "tools": tools, "output_config": {"effort": "colossal"}}
    )

    assert answer.status_code == 200, answer.text
    assert set(answer.headers["x-razvilka-dropped-params"].split(", ")) == {
        "tools[0]=mcp_toolset",
        "messages[].content[].server_tool_use",
        "messages[].content[].web_search_tool_result",
    }
    assert backends.router.prompts[-1].messages[1].content == "Нашёл"
    assert backends.router.prompts[-1].reasoning_effort == "colossal"


async def test_an_answer_without_a_word_goes_back_as_it_came(edge: Edge, backends: Backends) -> None:
    """A model had nothing to say, and the client keeps the conversation with what it got."""
    backends.router.chunks = []
    answer = await edge.client.post(PATH, json=HELLO)
    history = [*HELLO["messages"], {"role": "assistant", "content": answer.json()["content"]}, *HELLO["messages"]]

    continued = await edge.client.post(PATH, json={**HELLO, "messages": history})

    assert (answer.json()["content"], continued.status_code) == ([], 200), continued.text
    assert backends.router.prompts[-1].messages[1].content == ""


async def test_whatever_is_shown_reaches_the_model(edge: Edge, backends: Backends) -> None:
    """Documents taken apart, what a search has found, and all that a call may return; its pictures follow it."""
    parted = {"type": "content", "content": [{"type": "text", "text": "пункт"}, PICTURE]}
    found = {
        "type": "search_result",
        "source": "https://a.ru",
        "title": "Река",
        "content": [{"type": "text", "text": "240"}],
    }
    result = {
        "type": "tool_result",
        "tool_use_id": "call_1",
        "content": [
            found,
            {"type": "document", "title": "Свод", "source": parted},
            {"type": "tool_reference", "tool_name": "a"},
        ],
    }

    answer = await edge.client.post(PATH, json=turn(result, found))

    assert answer.status_code == 200, answer.text
    told, asked = backends.router.prompts[-1].messages
    assert (told.role, told.content) == (pb.ROLE_TOOL, "Река\nhttps://a.ru\n240\nСвод\nпункт")
    assert [part.type for part in asked.parts] == ["image_url", "text"]


async def test_what_a_provider_refuses_is_named_as_the_caller_wrote_it(edge: Edge, backends: Backends) -> None:
    """The chat between them has other paths."""
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": "x"}
    call = {"type": "tool_use", "id": "call_2", "name": "weather", "input": {}}
    text = {"type": "text", "text": "?"}
    body = {
        **turn(result, text, PICTURE),
        "system": "Кратко",
        "tools": [{"type": "web_search_20250305", "name": "web_search"}, WEATHER],
    }
    body["messages"] = [*body["messages"], {"role": "assistant", "content": [text, call]}]

    for field, named in FIELDS:
        words = f"'{field}' will not do: stopped by system.content."
        backends.router.failure = InvalidRequest(ErrorReason.INVALID_PARAMETERS, words, param=field)
        error = (await edge.client.post(PATH, json=body)).json()["error"]

        assert (error["param"], error["message"]) == (named, f"'{named}' will not do: stopped by system.content.")


async def test_its_client_lists_the_models_by_pages(edge: Edge) -> None:
    """With the key where it sends it; one model too; unknown ones in its own errors."""
    listed = {model["id"] for model in (await edge.client.get("/v1/models")).json()["data"]}

    async with official(edge) as client:
        named = [model.id async for model in client.models.list(limit=2)]
        first = await client.models.list(limit=1)
        last = await client.models.list(limit=1, before_id=named[1])
        one = await client.models.retrieve(named[0])
        with pytest.raises(anthropic.NotFoundError) as unknown:
            await client.models.retrieve("claude-nothing")
        with pytest.raises(anthropic.BadRequestError):
            await client.models.list(after_id="claude-nothing")

    assert (set(named), len(named)) == (listed, len(listed))
    assert first.has_more
    assert [model.id for model in last.data] == named[:1]
    assert (one.type, one.created_at.year >= 2020) == ("model", True)
    body: Any = unknown.value.body
    assert body["error"]["type"] == "not_found_error"


async def test_two_credentials_are_refused_with_both_names(edge: Edge) -> None:
    """Which of them counts would be a guess, and the caller knows of one only."""
    answer = await edge.client.post(
        PATH, json=HELLO, headers={"x-api-key": "rz-other", "authorization": f"Bearer {KEY}"}
    )

    assert answer.status_code == 401
    assert "`x-api-key` and `Authorization`" in answer.json()["error"]["message"]


async def test_a_thread_is_refused_so_that_its_client_sends_the_conversation_whole(
    edge: Edge, backends: Backends
) -> None:
    """Its loop of tools asks for one first: a second turn without the first would be nonsense to the model."""
    backends.router.tool_calls = [pb.ToolCall(id="call_1", name="weather", arguments='{"city": "Омск"}')]
    backends.router.finish = pb.FINISH_REASON_TOOL_CALLS

    @anthropic.beta_async_tool
    async def weather(city: str) -> str:
        """Return the weather of a city."""
        backends.router.tool_calls = []
        backends.router.finish = pb.FINISH_REASON_STOP
        return f"{city}: -5"

    async with official(edge) as client:
        answer = await client.beta.messages.tool_runner(**HELLO, tools=[weather]).until_done()

    assert [block.type for block in answer.content] == ["text"]
    roles = [message.role for message in backends.router.prompts[-1].messages]
    assert roles == [pb.ROLE_USER, pb.ROLE_ASSISTANT, pb.ROLE_TOOL]


@pytest.mark.parametrize(
    ("thinking", "effort"),
    [
        ({"type": "enabled", "budget_tokens": 9000}, "high"),
        ({"type": "adaptive"}, "medium"),
        ({"type": "between_tools"}, "none"),
        ({"type": "disabled"}, "none"),
    ],
    ids=str,
)
async def test_every_way_of_thinking_that_its_client_knows_is_taken(
    edge: Edge, backends: Backends, thinking: dict[str, Any], effort: str
) -> None:
    """Between tools is no thinking: where a model cannot, Anthropic's own stand-ins take it for disabled."""
    known = {get_args(get_type_hints(each)["type"])[0] for each in get_args(ThinkingConfigParam)}

    answer = await edge.client.post(PATH, json={**HELLO, "thinking": thinking})

    assert answer.status_code == 200, answer.text
    assert backends.router.prompts[-1].reasoning_effort == effort
    assert known == {"enabled", "adaptive", "between_tools", "disabled"}


async def test_a_document_by_its_address_is_refused_with_what_to_do_instead(edge: Edge) -> None:
    """Its client knows this form; nobody here fetches documents, as the Responses API says of its `file_url`."""
    linked = {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}

    answer = await edge.client.post(PATH, json=turn(linked))

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "unsupported_parameter")
    assert error["param"] == "messages[0].content[0].source.url"
    assert "send its content as a source of type `base64`" in error["message"]


@pytest.mark.parametrize(("tier", "told"), [("auto", "auto"), ("standard_only", "default"), (None, None)])
async def test_a_tier_is_told_in_the_words_of_chats(
    edge: Edge, backends: Backends, tier: str | None, told: str | None
) -> None:
    """OpenAI refuses Anthropic's `standard_only`."""
    answer = await edge.client.post(PATH, json=HELLO | ({"service_tier": tier} if tier else {}))

    assert answer.status_code == 200
    others = {name: msgspec.json.decode(raw) for name, raw in backends.router.prompts[0].other_json.items()}
    assert others.get("service_tier") == told
