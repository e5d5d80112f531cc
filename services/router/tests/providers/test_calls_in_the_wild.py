"""Calls of tools by servers that speak the OpenAI dialect, as they come: whole and streamed they say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.router.domain.completion import FinishReason
from services.router.routing.answers import collected, first_calls
from services.router.tests.providers.test_upstreams_in_the_wild import PLAIN, REPLIES, piece, streamed, whole


def call(arguments: Any, name: str | None = None, **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": name} if name else {})}
    return {"tool_calls": [{**more, "type": "function", "function": function}]}


OSLO, ROME = '{"city": "Осло"}', '{"city": "Рим"}'
TWO_CALLS: dict[str, list[dict[str, Any]]] = {
    "all of them numbered 0": [call(OSLO, "weather", index=0, id="a"), call(ROME, "weather", index=0, id="b")],
    "all of them 0, in one event": [
        {
            "tool_calls": call(OSLO, "weather", index=0, id="a")["tool_calls"]
            + call(ROME, "weather", index=0)["tool_calls"]
        }
    ],
    "no numbers": [call(OSLO, "weather", id="a"), call(ROME, "weather", id="b")],
    "no numbers and no ids": [call(OSLO, "weather"), call(ROME, "weather", id="")],
    "null for a number": [call(OSLO, "weather", index=None, id="a"), call(ROME, "weather", index=None, id="b")],
    "numbered from 1": [call(OSLO, "weather", index=1, id="a"), call(ROME, "weather", index=2, id="b")],
    "ids that are numbers, and the same": [call(OSLO, "weather", index=0, id=0), call(ROME, "weather", index=1, id=0)],
    "no list": [{"tool_calls": call(OSLO, "weather", index=0)["tool_calls"][0]}, call(ROME, "weather", index=1)],
    "name and id in each piece": [
        call(OSLO[:7], "weather", index=0, id="a"),
        call(OSLO[7:], "weather", index=0, id="a"),
        call(ROME, "weather", index=1, id="b"),
    ],
    "another id in each piece": [
        call(OSLO[:7], "weather", index=0, id="a"),
        call(OSLO[7:], index=0, id="b"),
        call(ROME, "weather", index=1, id="c"),
    ],
    "in turns, without numbers": [
        call(OSLO[:7], "weather", id="a"),
        call(ROME[:5], "weather", id="b"),
        call(OSLO[7:], id="a"),
        call(ROME[5:], id="b"),
    ],
    "arguments as objects": [
        call({"city": "Осло"}, "weather", index=0, id="a"),
        call({"city": "Рим"}, "weather", index=0, id="b"),
    ],
}


@pytest.mark.parametrize("pieces", TWO_CALLS.values(), ids=TWO_CALLS.keys())
async def test_calls_are_told_apart_however_their_pieces_are_marked(pieces: list[dict[str, Any]]) -> None:
    """They were run together into one call with the arguments of both, or the answer was malformed."""
    stream = REPLIES.answer_stream(PLAIN)
    batches = [stream.feed([json.dumps(piece(each)).encode()]) for each in pieces]
    heard = [each for batch in batches if batch for delta in batch.deltas for each in delta.tool_calls]

    made = (await streamed(*map(piece, pieces), piece({}, "tool_calls"))).choices[0].tool_calls

    assert [(each.name, each.index, json.loads(each.arguments)) for each in made] == [
        ("weather", 0, {"city": "Осло"}),
        ("weather", 1, {"city": "Рим"}),
    ]
    assert len({each.id for each in made if each.id}) == 2
    # What clients put together by adding texts up is said once.
    assert [each.name for each in heard if each.name] == ["weather", "weather"]
    assert len([each.id for each in heard if each.id]) == 2


@pytest.mark.parametrize("ids", [(0, 0), ("", ""), ("a", "a"), (None, None), ("a", "b")], ids=str)
def test_calls_of_a_whole_answer_have_ids_of_their_own(ids: tuple[Any, Any]) -> None:
    """Two under one id cannot be answered apart; TGI's are all 0."""
    calls = [{"id": each, "index": None, "function": {"name": "f", "arguments": "{}"}} for each in ids]

    made = whole({"content": None, "tool_calls": calls}, "tool_calls").choices[0].tool_calls

    assert len({each.id for each in made}) == 2
    assert all(isinstance(each.id, str) and each.id for each in made)


async def test_the_first_call_is_kept_where_no_more_are_wanted_and_calls_are_counted_from_1() -> None:
    """Of a speaker that counts its text as number 0, no call at all was left."""
    stream = REPLIES.answer_stream(PLAIN)

    async def batches() -> Any:
        for each in TWO_CALLS["numbered from 1"]:
            yield stream.feed([json.dumps(piece(each)).encode()])
        yield stream.feed([b"[DONE]"])

    answer = await collected(first_calls(batches()))

    assert [(each.id, each.arguments) for each in answer.choices[0].tool_calls] == [("a", OSLO)]


@pytest.mark.parametrize("nothing", ["", None])
@pytest.mark.parametrize("finish", ["tool_calls", "stop", None])
async def test_a_call_without_arguments_has_none_that_can_be_read(nothing: str | None, finish: str | None) -> None:
    """OpenRouter's Claude says none of a function that takes none: clients failed to read an empty text as JSON."""
    called = call(nothing, "now", index=0, id="a")

    one = whole({"content": None, **called}, finish).choices[0].tool_calls
    other = (await streamed(piece(called), piece({}, finish))).choices[0].tool_calls
    cut = [
        *whole({"content": None, **called}, "length").choices[0].tool_calls,
        *(await streamed(piece(called), piece({}, "length"))).choices[0].tool_calls,
    ]

    assert [(each.name, each.arguments) for each in (*one, *other)] == [("now", "{}")] * 2
    assert [each.arguments for each in cut] == ["", ""]


async def test_an_answer_without_calls_does_not_end_with_them() -> None:
    """vLLM says so of a call that its parser did not find: an agent waited for a call to make, and had none."""
    one = whole({"content": "Да", "tool_calls": []}, "tool_calls").choices[0]
    other = (await streamed(piece({"content": "Да"}), piece({}, "tool_calls"))).choices[0]

    assert one.finish_reason is other.finish_reason is FinishReason.STOP
