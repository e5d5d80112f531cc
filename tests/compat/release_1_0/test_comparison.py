"""What the contract suite must not let pass: an answer that would break a client of 1.0."""

from __future__ import annotations

import copy
from typing import Any, Final

import pytest

from tests.compat.release_1_0.comparison import missing, missing_in_stream
from tests.compat.release_1_0.recorded import Recorded, recorded

CHAT: Final = recorded()["chat"]
STREAM: Final = recorded()["chat_stream"]
HEADERS: Final = {name.lower(): value for name, value in CHAT.headers.items()}


def changed(**changes: Any) -> Any:
    """Return the recorded answer with members of its first choice or of its own changed; None takes one away."""
    answer = copy.deepcopy(CHAT.answer)
    for name, value in changes.items():
        where = answer["choices"][0]["message"] if name in answer["choices"][0]["message"] else answer
        where.pop(name)
        if value is not None:
            where[name] = value
    return answer


@pytest.mark.parametrize("record", [each for each in recorded().values() if each.answer], ids=lambda each: each.name)
def test_what_was_recorded_keeps_the_contract(record: Recorded) -> None:
    headers = {name.lower(): value for name, value in record.headers.items()}

    assert list(missing(record, record.status, headers, record.answer)) == []


def test_what_is_added_breaks_nobody() -> None:
    assert list(missing(CHAT, 200, {**HEADERS, "x-more": "1"}, CHAT.answer | {"more": {}})) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"id": None}, "/id is absent"),
        ({"created": "1740000000"}, "/created is '1740000000'"),
        ({"created": True}, "/created is True"),
        ({"choices": []}, "/choices is empty"),
        ({"content": None}, "/choices/0/message/content is absent"),
        ({"model": "GigaChat-2"}, "/model is 'GigaChat-2' instead of 'gigachat'"),
        ({"usage": []}, "/usage is []"),
    ],
)
def test_what_a_client_would_miss_is_told(changes: dict[str, Any], told: str) -> None:
    found = list(missing(CHAT, 200, HEADERS, changed(**changes)))

    assert any(each.startswith(told) for each in found), found


@pytest.mark.parametrize(
    ("status", "headers", "told"),
    [
        (201, {}, "status 201 instead of 200"),
        (200, {"x-ratelimit-reset": None}, "header X-RateLimit-Reset is absent"),
        (200, {"x-ratelimit-reset": "soon"}, "header X-RateLimit-Reset is 'soon'"),
        (200, {"content-type": "text/html"}, "header Content-Type is 'text/html'"),
    ],
)
def test_a_status_and_a_header_are_contract(status: int, headers: dict[str, Any], told: str) -> None:
    given = {name: value for name, value in (HEADERS | headers).items() if value is not None}

    found = list(missing(CHAT, status, given, CHAT.answer))

    assert any(each.startswith(told) for each in found), found


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (STREAM.events[:-1], "the stream does not end with [DONE]"),
        ([*STREAM.events[:2], *STREAM.events[4:]], "no event has any content"),
        ([*STREAM.events[:4], STREAM.events[-1]], "finish reasons"),
        ([{"error": {}}, STREAM.events[-1]], "event 0/id is absent"),
        ([], "the stream does not end with [DONE]"),
    ],
)
def test_a_stream_out_of_order_is_told(events: list[Any], told: str) -> None:
    assert list(missing_in_stream(STREAM, STREAM.events)) == []

    found = list(missing_in_stream(STREAM, events))

    assert any(each.startswith(told) for each in found), found
