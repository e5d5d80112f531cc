"""Lines are cut from the parts of a file wherever the network cut it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from starlette.types import Send

from services.gateway.batches.input_lines import LineCheck, WrongLineError, lines_of
from services.gateway.edge.request_context import RequestContext

CHAT = "/v1/chat/completions"
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


class AnyBody:
    """A route that takes every body."""

    async def check(self, body: bytes) -> None: ...

    async def serve(self, context: RequestContext, body: bytes, send: Send) -> None: ...


@pytest.mark.parametrize("custom_id", ["", "a\0b", "я" * 513])
async def test_a_custom_id_that_cannot_be_kept_is_named(custom_id: str) -> None:
    """By its line, as soon as the file is looked through."""
    raw = json.dumps({"custom_id": custom_id, "method": "POST", "url": CHAT, "body": {}}).encode()

    with pytest.raises(WrongLineError) as refused:
        await LineCheck(CHAT, AnyBody()).checked(7, raw)

    assert (refused.value.error.code, refused.value.error.line) == ("invalid_custom_id", 7)
