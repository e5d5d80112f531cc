"""The outline of a JSON body says what a slow and simple reader would say, and never works long at once."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any, Self, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servicekit.errors import InvalidRequest
from services.gateway.edge.reading import json_faults, json_outline
from services.gateway.edge.reading.body import BodyLimits
from services.gateway.edge.reading.heavy_step import heavy_step
from services.gateway.edge.reading.json_body import decode
from services.gateway.edge.reading.json_faults import check_names, refuse_faults
from services.gateway.edge.reading.json_outline import Outline, outline_of

WIDE = BodyLimits(size=10**9, seconds=1, depth=500, elements=10**6)
# What breaks careless scanners: quotes, backslashes, brackets and commas in texts, names that are escaped.
TEXTS = st.text(alphabet='ab"\\[]{},:é€ \n', max_size=8)

LONG_TEXTS = st.builds(lambda unit, times: unit * times, st.text('aы"\\', min_size=1, max_size=3), st.integers(0, 150))


class Pairs(list[tuple[str, Any]]):
    """An object with its names in order, also twice."""


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS | st.just("x" * 300),
    lambda inner: st.lists(inner, max_size=4) | st.lists(st.tuples(TEXTS, inner), max_size=4).map(Pairs),
    max_leaves=25,
)


def written(value: Any) -> str:
    """Return the JSON text, names as they are."""
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(name)}:{written(item)}" for name, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def is_twice(value: Any) -> bool:
    """Tell whether some object says a name twice."""
    if isinstance(value, Pairs):
        names = [name for name, _ in value]
        return len(set(names)) < len(names) or any(is_twice(item) for _, item in value)
    return isinstance(value, list) and any(map(is_twice, value))


def depth_of(value: Any) -> int:
    """Return the levels of nesting."""
    inner = [item for _, item in value] if isinstance(value, Pairs) else value
    return 1 + max(map(depth_of, inner), default=0) if isinstance(value, list) else 0


def elements_of(value: Any) -> int:
    """Return what is counted: opening brackets and commas."""
    inner = [item for _, item in value] if isinstance(value, Pairs) else value
    return 1 + max(0, len(inner) - 1) + sum(map(elements_of, inner)) if isinstance(value, list) else 0


def outlined(text: bytes, piece: int, limits: BodyLimits = WIDE) -> bytes:
    """Return the outline of a text that is read so many bytes at a time."""
    outline = Outline(limits)
    for start in range(0, len(text), piece):
        outline.feed(text[start : start + piece])
    return outline.text


def refuses(read: Any, *given: Any) -> bool:
    """Tell whether a reading refuses."""
    try:
        read(*given)
    except InvalidRequest:
        return True
    return False


class Turns:
    """Counts the turns of the event loop while its block runs, as somebody who wants a turn now and then."""

    def __init__(self) -> None:
        self.number = 0

    async def __aenter__(self) -> Self:
        self._other = asyncio.create_task(self._count())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._other.cancel()

    async def _count(self) -> None:
        while True:
            self.number += 1
            await asyncio.sleep(0)


@settings(max_examples=500, deadline=None)
@given(VALUES, st.integers(1, 40))
def test_names_that_come_twice_are_found_in_any_pieces(value: Any, piece: int) -> None:
    """However the body is cut, and whatever its texts look like."""
    text = written(value).encode()

    assert refuses(check_names, outlined(text, piece)) == refuses(check_names, text) == is_twice(value)


@settings(max_examples=500, deadline=None)
@given(VALUES, st.integers(1, 40))
def test_depth_and_elements_are_exact(value: Any, piece: int) -> None:
    """What is in texts does not count."""
    text, depth, elements = written(value).encode(), depth_of(value), elements_of(value)

    for less in (0, 1):
        deep = BodyLimits(10**9, 1, depth - less, 10**6)
        many = BodyLimits(10**9, 1, 500, elements - less)
        assert depth == 0 or refuses(outlined, text, piece, deep) == (less > 0)
        assert elements == 0 or refuses(outlined, text, piece, many) == (less > 0)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(LONG_TEXTS, LONG_TEXTS, max_size=3), st.integers(1, 500), st.booleans())
def test_an_outline_is_the_same_wherever_the_body_is_cut(value: dict[str, str], piece: int, is_escaped: bool) -> None:
    """Through half a character, half an escape, in a name or a text, long or not."""
    text = json.dumps(value, ensure_ascii=is_escaped).encode()

    assert outlined(text, piece) == outlined(text, len(text))
    assert not refuses(check_names, outlined(text, piece))


@pytest.mark.parametrize("is_escaped", [False, True])
@pytest.mark.parametrize("past", [0, 40, 100, 200])
async def test_a_long_text_is_read_whatever_character_the_pieces_are_cut_through(past: int, is_escaped: bool) -> None:
    """A prompt in Russian of a little more than a piece, moved on by a byte at a time."""
    shape = '{"filler":"%s","content":"%s"}'
    letter = json.dumps("ы", ensure_ascii=is_escaped)[1:-1]
    size = json_outline.PIECE - len(shape) + past
    for filler in range(12):
        body = (shape % ("a" * filler, letter * (size // len(letter.encode())))).encode()

        decoded, _ = await decode(msgspec.json.Decoder(dict[str, str]), body, WIDE)

        assert decoded["filler"] == "a" * filler


def test_long_names_are_told_apart() -> None:
    """They are cut out of the outline, each by itself; what stands for them is nobody else's name."""
    text = json.dumps({"a" * 500 + str(at): at for at in range(5)} | {str(at): at for at in range(9)}).encode()

    assert not refuses(check_names, outlined(text, 64))
    assert not refuses(check_names, outlined(text, 2048))


@pytest.mark.parametrize("body", [b'"' + b"a" * 2_000_000 + b'"', b"[" + b'"\\\\",' * 300_000 + b"1]"])
async def test_the_loop_goes_on_while_a_large_body_is_looked_at(body: bytes) -> None:
    """Others get their turn between any two pieces, so the longest wait is that of one piece."""
    async with Turns() as turns:
        await outline_of(body, WIDE)

    assert turns.number >= len(body) // json_outline.PIECE


async def test_of_many_large_bodies_one_is_worked_at_in_a_turn() -> None:
    """Sixteen at once: each piece and each decoding in a turn of its own, and the others in between."""
    body = b"{" + b",".join(b'"name-%d":"%s"' % (at, b"a" * 60_000) for at in range(6)) + b"}"
    turns = Turns()
    steps: list[int] = []
    decoder = cast("msgspec.json.Decoder[Any]", SimpleNamespace(decode=lambda _: steps.append(turns.number)))

    async with turns:
        await asyncio.gather(*(decode(decoder, body, WIDE) for _ in range(16)))

    assert len(set(steps)) == len(steps) == 16
    assert turns.number >= 16 * (len(body) // json_outline.PIECE + 2)


async def test_a_heavy_step_that_fails_lets_the_next_one_go_on() -> None:
    """Also when its caller leaves."""

    def fail() -> None:
        raise ValueError

    failed = asyncio.create_task(heavy_step(fail))
    left = asyncio.create_task(heavy_step(lambda: 1))
    third = asyncio.create_task(heavy_step(lambda: 2))
    await asyncio.sleep(0)
    left.cancel()

    ends = await asyncio.gather(failed, left, third, return_exceptions=True)

    assert [type(end) for end in ends] == [ValueError, asyncio.CancelledError, int]


@pytest.mark.parametrize("body", [b"[" * 10**6, b"[" + b"1," * 10**6, b'""' * 10**6, b'{"a":' * 10**6])
def test_too_much_is_refused_after_the_first_piece(body: bytes) -> None:
    """A refusal costs no more than what was read until then."""
    outline = Outline(BodyLimits(size=10**9, seconds=1, depth=64, elements=10_000))

    assert refuses(outline.feed, body[: json_outline.PIECE])


def test_the_first_fault_is_named_by_its_path() -> None:
    """In the order in which the body says it."""
    tree = {"a": [1, {"b": "\ud800"}], "c": float("nan")}

    with pytest.raises(InvalidRequest) as caught:
        refuse_faults(tree)

    assert caught.value.param == "a[1].b"


class CountedName(str):
    """A name that counts with how many others it is compared."""

    compared = 0

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        CountedName.compared += 1
        return str(self) == str(other)


def test_the_name_that_comes_twice_is_found_in_one_look() -> None:
    """The last of 5,000 names: comparing each with all before it held everybody up for a second."""
    CountedName.compared = 0
    pairs = [(CountedName(f"name-{number}"), 0) for number in range(5000)]

    found = json_faults._marked([*pairs, (CountedName("name-4999"), 1)])

    assert found == json_faults._NameTwice("name-4999")
    assert CountedName.compared < 3 * 5000
