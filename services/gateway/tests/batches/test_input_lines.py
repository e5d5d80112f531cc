"""Lines are cut from the parts of a file wherever the network cut it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from starlette.types import Send

from services.gateway.batches.input_lines import LONGEST_ID, PAUSE_EVERY, LineCheck, WrongLineError, lines_of
from services.gateway.batches.line_route import LineRoute
from services.gateway.edge.reading.json_body import invalid_field
from services.gateway.edge.request_context import RequestContext

FILE = '{"a":1}\n\n{"б":2}\r\n{"c":3}'.encode()


async def parts_of(content: bytes, size: int) -> AsyncIterator[bytes]:
    for begin in range(0, len(content), size):
        yield content[begin : begin + size]


@pytest.mark.parametrize("size", range(1, len(FILE) + 1))
async def test_lines_are_the_same_however_a_file_is_cut(size: int) -> None:
    """Empty ones say nothing, and count."""
    found = [(number, line.strip()) async for number, line in lines_of(parts_of(FILE, size), 100)]

    assert found == [(1, b'{"a":1}'), (3, '{"б":2}'.encode()), (4, b'{"c":3}')]


async def test_a_line_that_is_too_long_ends_the_reading() -> None:
    """Memory does not grow with the file."""
    with pytest.raises(WrongLineError) as refused:
        [line async for line in lines_of(parts_of(b"{}\n" + b"x" * 100, 10), 50)]

    assert (refused.value.error.code, refused.value.error.line) == ("line_too_long", 2)


@pytest.mark.parametrize("size", [1, 2, 19, 20, 21, 22, 23, 24, 25, 63])
@pytest.mark.parametrize("end", [b"", b"\n", b"\n{}\n"])
async def test_the_longest_line_is_as_long_however_a_file_is_cut(size: int, end: bytes) -> None:
    """One byte more is too long, also of a line whose end comes with its last bytes."""
    longest = [line async for _, line in lines_of(parts_of(b"{}\n" + b"x" * 20 + end, size), 20)]
    with pytest.raises(WrongLineError) as refused:
        [line async for line in lines_of(parts_of(b"{}\n" + b"x" * 21 + end, size), 20)]

    assert longest[1] == b"x" * 20
    assert (refused.value.error.code, refused.value.error.line) == ("line_too_long", 2)


CHAT = "/v1/chat/completions"


class _Refusing(LineRoute):
    """Refuses a field by the name that a caller made up."""

    async def check(self, body: bytes) -> None:
        name = next(iter(json.loads(body)), "")
        if name:
            raise invalid_field(name, "There is no such field")

    async def serve(self, context: RequestContext, body: bytes, send: Send) -> None:
        raise NotImplementedError


def line_of(custom_id: str, body: object) -> bytes:
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": CHAT, "body": body}).encode()


async def test_a_line_may_be_called_anything_that_can_be_kept() -> None:
    """Counted in characters, not in bytes."""
    check = LineCheck(CHAT, _Refusing())

    kept = await check.checked(1, line_of("ж" * LONGEST_ID, {}))

    assert kept.custom_id == "ж" * LONGEST_ID


@pytest.mark.parametrize(
    ("custom_id", "body", "code"),
    [
        ("a\0b", {}, "invalid_custom_id"),
        ("ж" * (LONGEST_ID + 1), {}, "invalid_custom_id"),
        ("a", {"b\0": 1}, "invalid_request"),
    ],
)
async def test_what_is_told_of_a_wrong_line_can_be_kept(custom_id: str, body: object, code: str) -> None:
    """PostgreSQL has no text with NUL: the batch would be looked through again and again, and never fail."""
    with pytest.raises(WrongLineError) as refused:
        await LineCheck(CHAT, _Refusing()).checked(1, line_of(custom_id, body))

    error = refused.value.error
    assert error.code == code
    assert "\0" not in error.message + error.param


async def test_a_part_of_empty_lines_is_read_in_turns() -> None:
    """A megabyte of line ends took a sixth of a second at once, and a file has a hundred: everybody waited."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def parts() -> AsyncIterator[bytes]:
        yield b"\n" * 10 * PAUSE_EVERY

    waiting = asyncio.create_task(others())
    found = [number async for number, _ in lines_of(parts(), 100)]
    waiting.cancel()

    assert not found
    assert turns >= 10


async def test_a_line_that_is_nested_too_deeply_is_a_wrong_one() -> None:
    """The step that looks through files failed with it, again and again, and no batch went on."""
    deep = line_of("a", None).replace(b"null", b"[" * 5000 + b"]" * 5000)

    with pytest.raises(WrongLineError) as refused:
        await LineCheck(CHAT, _Refusing()).checked(7, deep)

    assert (refused.value.error.code, refused.value.error.line) == ("invalid_json_line", 7)
