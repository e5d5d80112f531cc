"""The plain OpenAI-compatible upstream, through the official client too."""

from typing import Any

import openai
import pytest

from emulator.testing import OPENAI_API_KEY, RunningEmulator
from emulator.tests.asking import sse
from emulator.tests.conftest import Ask

TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {"name": "camp", "parameters": {"type": "object", "properties": {"id": {"type": "integer"}}}},
    }
]


async def test_the_official_client_reads_plain_and_streamed_answers(emulator: RunningEmulator) -> None:
    """Chat, stream with usage, tools, embeddings and models work as the client expects."""
    async with openai.AsyncOpenAI(base_url=emulator.openai_url, api_key=OPENAI_API_KEY, max_retries=0) as client:
        messages: list[Any] = [{"role": "user", "content": 'привет [[call:camp {"id": 7}]]'}]
        plain = await client.chat.completions.create(model="toy-large", messages=messages)
        text, usage = "", None
        async for chunk in await client.chat.completions.create(
            model="toy-large", messages=messages, stream=True, stream_options={"include_usage": True}
        ):
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
            usage = chunk.usage or usage
        called = await client.chat.completions.create(model="toy-large", messages=messages, tools=TOOLS)
        embedded = await client.embeddings.create(model="toy-small", input=["a", "b"])
        models = [model.id async for model in client.models.list()]

    assert text == plain.choices[0].message.content
    assert usage == plain.usage
    calls = called.choices[0].message.tool_calls or []
    assert [call.function.arguments for call in calls if call.type == "function"] == ['{"id":7}']
    assert [len(item.embedding) for item in embedded.data] == [256, 256]
    assert models == ["toy-large", "toy-small"]


async def test_arguments_of_a_call_come_in_parts(ask_openai: Ask) -> None:
    """Name and id in the first delta, arguments in the ones that follow."""
    _, raw = await ask_openai('[[call:camp {"id": 7}]]', tools=TOOLS, stream=True)

    deltas = [event["choices"][0]["delta"] for event in sse(raw)[:-1]]
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert calls[0]["id"].startswith("call_")
    assert "".join(call["function"]["arguments"] for call in calls) == '{"id":7}'


async def test_stop_sequences_end_the_answer(ask_openai: Ask) -> None:
    """The stop itself is not shown."""
    _, body = await ask_openai("[[text:один два три]]", stop=["два"])

    assert body["choices"][0]["message"]["content"] == "один "


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [({"model": "none"}, 404, "model_not_found"), ({"messages": []}, 400, None), ({"max_tokens": 0}, 400, None)],
)
async def test_refuses_what_it_does_not_know(ask_openai: Ask, fields: Any, status: int, code: str | None) -> None:
    """The envelope is OpenAI's."""
    got, body = await ask_openai("x", **fields)

    assert (got, body["error"]["code"]) == (status, code)


async def test_a_fault_can_ride_on_the_models_name(ask_openai: Ask) -> None:
    """`model~fault;arg=value` needs neither a header nor a script."""
    status, body = await ask_openai("x", model="toy-large~status;code=503")

    assert (status, body["error"]["type"]) == (503, "server_error")


async def test_a_marker_strikes_one_provider_only_as_often_as_it_says(ask_openai: Ask, ask_yandex: Ask) -> None:
    """`on` keeps the fallback healthy; `times` lets the retry pass."""
    prompt = "x [[fault:status code=500 on=openai times=1]]"

    statuses = [(await ask_openai(prompt))[0] for _ in range(2)]

    assert statuses == [500, 200]
    assert (await ask_yandex(prompt))[0] == 200


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"metadata": {"team": "search"}}, "metadata"),
        ({"user": "u" * 65}, "user"),
        ({"safety_identifier": "u" * 65}, "safety_identifier"),
        ({"service_tier": "standard_only"}, "service_tier"),
        ({"stop": list("абвгд")}, "stop"),
        ({"n": 129}, "n"),
        ({"temperature": 2.5}, "temperature"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tools": []}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "лагерь"}}]}, "tools[0].function.name"),
        ({"profanity_check": True}, None),
    ],
)
async def test_refuses_what_openai_refuses(ask_openai: Ask, fields: Any, param: str | None) -> None:
    """Adapters that a lenient server would keep quiet about are heard of here."""
    status, body = await ask_openai("x", **fields)

    assert (status, body["error"]["param"]) == (400, param)


def called(name: str) -> dict[str, Any]:
    function = {"name": name, "arguments": "{}"}
    call = {"id": "call_1", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


CALLED = called("camp")
ASKED: dict[str, Any] = {"role": "user", "content": "x"}


@pytest.mark.parametrize(
    ("messages", "status"),
    [
        ([ASKED, CALLED, {"role": "tool", "tool_call_id": "call_1", "content": "7"}], 200),
        ([ASKED, CALLED], 400),
        ([ASKED, CALLED, ASKED], 400),
        ([ASKED, {"role": "tool", "tool_call_id": "call_1", "content": "7"}], 400),
        ([ASKED, CALLED, {"role": "tool", "tool_call_id": "call_2", "content": "7"}], 400),
        ([ASKED, {"role": "assistant", "content": None}], 400),
        ([ASKED, called("maps.camp"), {"role": "tool", "tool_call_id": "call_1", "content": "7"}], 400),
    ],
)
async def test_each_call_has_its_result_behind_it(ask_openai: Ask, messages: list[Any], status: int) -> None:
    """As OpenAI wants it, by ids; of names that its tools may have."""
    got, _ = await ask_openai("", messages=messages)

    assert got == status


async def test_makes_as_many_answers_as_are_asked_for(ask_openai: Ask) -> None:
    """Whole and in pieces; all of them are billed."""
    _, one = await ask_openai("[[text:да нет]]")
    _, body = await ask_openai("[[text:да нет]]", n=3)
    _, raw = await ask_openai("[[text:да нет]]", n=3, stream=True, stream_options={"include_usage": True})

    assert [(each["index"], each["message"]["content"]) for each in body["choices"]] == [
        (index, "да нет") for index in range(3)
    ]
    events = sse(raw)[:-1]
    told = ["", "", ""]
    for event in events:
        for choice in event["choices"]:
            told[choice["index"]] += choice["delta"].get("content") or ""
    assert told == ["да нет"] * 3
    assert events[-1]["usage"] == body["usage"]
    assert body["usage"]["completion_tokens"] == 3 * one["usage"]["completion_tokens"]
