"""The head of an answer: whatever its values say, every header stays one."""

from __future__ import annotations

import pytest

from services.gateway.edge.server.answering import head_of


def test_a_head_is_its_status_and_its_headers_in_order() -> None:
    """Names and values go out as they are, each on a line of its own, and an empty line ends them."""
    head = head_of(200, [(b"content-type", b"text/plain"), (b"x-one", b"1, 2"), (b"x-one", b"")])

    assert head == b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-one: 1, 2\r\nx-one: \r\n\r\n"


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\rb", b"a\0b", b"\x7f"])
def test_a_value_cannot_begin_another_header(value: bytes) -> None:
    """Wherever the line's end stands, among however many good headers, nothing of the answer is sent."""
    with pytest.raises(RuntimeError):
        head_of(200, [(b"x-good", b"1"), (b"x-bad", value), (b"x-good", b"2")])


@pytest.mark.parametrize("name", [b"x\r\ny", b"x y", b"x:", b"x\0"])
def test_a_name_cannot_hold_what_no_name_may(name: bytes) -> None:
    """Blanks and colons would make another name of it, a line's end another header."""
    with pytest.raises(RuntimeError):
        head_of(200, [(b"x-good", b"1"), (name, b"v")])
