"""Recorded streams as a network may bring them: byte by byte, cut anywhere, and broken off anywhere."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.golden_files import load
from servicekit.clock import SystemClock
from servicekit.errors import ErrorReason, ServiceError
from services.router.domain.completion import Batch
from services.router.providers.gigachat.replies import GigaChatReplies
from services.router.providers.openai_dialect.replies import OpenAIReplies
from services.router.providers.reading import Replies, read_stream
from services.router.providers.yandexgpt.quirks import QUIRKS
from services.router.providers.yandexgpt.replies import NativeReplies
from services.router.tests.adapters import IDS, Heard, ask, call_for, hear
from services.router.tests.providers.golden_results import STREAMS

CLOCK = SystemClock()
REPLIES: Final[dict[str, Replies]] = {
    "native": NativeReplies(IDS, 0, CLOCK),
    "v1": OpenAIReplies(IDS, CLOCK, QUIRKS),
    "gigachat": GigaChatReplies(IDS, CLOCK),
}
RECORDED = pytest.mark.parametrize("name", STREAMS)


class Arriving:
    """A reply whose body arrives in these pieces, one a read."""

    ok, status, line_bytes, authorization = True, 200, 1 << 20, ""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.headers = {"Content-Type": "text/event-stream"}
        self.progress = 0
        self._pieces = [piece for piece in pieces if piece]

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def progressed(self) -> None:
        """Nobody watches for silence; how often it was broken is counted."""
        self.progress += 1

    async def linger(self) -> None:
        """No connection waits for its end."""

    def close(self) -> None:
        """There is no connection to be given up."""


def heard_of(name: str, pieces: Sequence[bytes]) -> tuple[Heard, ServiceError | None]:
    """Return what a caller hears of a body in these pieces, and how it failed."""
    dialect = STREAMS[name].dialect
    reply: Any = Arriving(pieces)
    batches: list[Batch] = []

    async def opened() -> Any:
        return reply

    async def read() -> ServiceError | None:
        try:
            async for batch in read_stream(REPLIES[dialect], opened, ask(), call_for(dialect)):
                batches.append(batch)
        except ServiceError as exc:
            return exc
        return None

    failure = asyncio.run(read())
    return hear(batches), failure


@lru_cache(maxsize=32)
def whole(name: str) -> tuple[str, Any, Any, Any]:
    """Return the text, the end, the calls and the usage that stand in the table of recorded streams."""
    wanted = STREAMS[name]
    return "".join(wanted.pieces), wanted.finish, list(wanted.calls), wanted.usage


def said(heard: Heard) -> tuple[str, Any, Any, Any]:
    return heard.text, heard.finish, heard.calls, heard.usage


def places(name: str) -> int:
    return len(load(name).body)


@RECORDED
def test_a_stream_that_comes_byte_by_byte_says_the_same(name: str) -> None:
    """Inside a letter, a line, an event."""
    body = load(name).body

    heard, failure = heard_of(name, [body[at : at + 1] for at in range(len(body))])

    assert failure is None
    assert said(heard) == whole(name)


@RECORDED
def test_a_stream_that_is_cut_in_two_anywhere_says_the_same(name: str) -> None:
    """Each place once: also between the two halves of a Cyrillic letter, and inside `data:` and `[DONE]`."""
    body = load(name).body

    for place in range(1, len(body)):
        heard, failure = heard_of(name, [body[:place], body[place:]])
        assert (failure, said(heard)) == (None, whole(name)), place


@given(st.sampled_from(sorted(STREAMS)), st.lists(st.integers(0, 10_000), max_size=8))
def test_a_stream_in_any_pieces_says_the_same(name: str, cuts: list[int]) -> None:
    """However many reads it takes."""
    body = load(name).body
    ends = [0, *sorted({cut % len(body) for cut in cuts}), len(body)]

    heard, failure = heard_of(name, [body[start:end] for start, end in pairwise(ends)])

    assert (failure, said(heard)) == (None, whole(name))


def ends_of_events(name: str) -> list[int]:
    """Return the places behind each event, or line, but the last."""
    separator = rb"\n" if STREAMS[name].dialect == "native" else rb"\n\n"
    return [found.end() for found in re.finditer(separator, load(name).body)][:-1]


def check_broken_off(name: str, place: int) -> None:
    """A stream that broke off here is a failure, with a true beginning; or it had said how it ended."""
    heard, failure = heard_of(name, [load(name).body[:place]])
    text, finish, calls, _ = whole(name)
    if failure is None:
        assert (heard.text, heard.finish, heard.calls) == (text, finish, calls), place
    else:
        assert failure.reason is ErrorReason.PROVIDER_ERROR, place
        assert heard.finish is None, place
        assert text.startswith(heard.text), place


@RECORDED
def test_a_stream_that_breaks_off_behind_any_event_is_never_taken_for_whole(name: str) -> None:
    """What came is given out; what is missing is a failure and no clean end."""
    found = ends_of_events(name)

    assert found
    for place in [0, *found]:
        check_broken_off(name, place)
    assert heard_of(name, [b""])[1] is not None


@RECORDED
def test_a_stream_that_breaks_off_at_any_byte_is_never_taken_for_whole(name: str) -> None:
    """Also where what is left looks like JSON. A torn `[DONE]` behind an end that was said is no failure."""
    for place in range(places(name)):
        check_broken_off(name, place)


@RECORDED
def test_a_broken_piece_of_json_behind_any_event_is_a_failure(name: str) -> None:
    """Nonsense in place of the next event; the end that was said before it stands."""
    separator = b"\n" if STREAMS[name].dialect == "native" else b"\n\n"
    lead = b"" if STREAMS[name].dialect == "native" else b"data: "
    for place in [0, *ends_of_events(name)]:
        heard, failure = heard_of(name, [load(name).body[:place] + lead + b'{"broken":' + separator])
        assert failure is not None or heard.finish is not None, place


@pytest.mark.parametrize("dialect", REPLIES)
def test_events_that_say_nothing_to_the_caller_break_the_silence(dialect: str) -> None:
    """Notices of a drawing, calls that are gathered, pieces without text: such a stream was given up as silent."""
    nothing = {
        "native": b'{"result":{"alternatives":[{"message":{"text":""},"status":"ALTERNATIVE_STATUS_PARTIAL"}]}}\n',
        "v1": b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n',
        "gigachat": b'data: {"choices":[{"delta":{"role":"function_in_progress","content":"..."}}]}\n\n',
    }[dialect]
    reply: Any = Arriving([nothing, b"\n", nothing[:20], nothing[20:]])

    async def opened() -> Any:
        return reply

    async def read() -> None:
        with pytest.raises(ServiceError, match="broke off"):
            _ = [batch async for batch in read_stream(REPLIES[dialect], opened, ask(), call_for(dialect))]

    asyncio.run(read())
    assert reply.progress == 2
