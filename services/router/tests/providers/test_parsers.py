"""Lines and events out of bytes cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.errors import ServiceError
from services.router.providers.transport.lines import LineBuffer
from services.router.providers.transport.sse import SseDecoder

LIMIT = 1000


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Return `data` cut at the given places."""
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


def lines_of(chunks: list[bytes]) -> list[bytes]:
    buffer = LineBuffer(LIMIT)
    return [line for chunk in chunks for line in buffer.feed(chunk)] + buffer.finish()


def events_of(chunks: list[bytes]) -> list[bytes]:
    decoder = SseDecoder(LIMIT)
    return [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.finish()


@given(st.lists(st.text(max_size=20)), st.lists(st.integers(0, 10_000)))
def test_lines_do_not_depend_on_where_bytes_are_cut(texts: list[str], cuts: list[int]) -> None:
    """A letter may straddle two reads, a line any number of them."""
    data = "\n".join(text.replace("\n", " ") for text in texts).encode()

    *whole, last = data.split(b"\n")
    assert lines_of(pieces(data, cuts)) == [*whole, *([last] if last else [])]


@given(
    st.lists(st.tuples(st.sampled_from(["", "done"]), st.text(alphabet="аяz {}:", min_size=1, max_size=12))),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(0, 10_000)),
)
def test_events_do_not_depend_on_where_bytes_are_cut(events: list[tuple[str, str]], end: str, cuts: list[int]) -> None:
    """All three line ends of the standard, also when a read parts CR from LF."""
    text = "".join(
        f": comment{end}" + (f"event: {name}{end}" if name else "") + f"data: {data}{end}{end}" for name, data in events
    )

    assert events_of(pieces(text.encode(), cuts)) == [data.encode() for _, data in events]


@pytest.mark.parametrize(
    ("text", "events"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b"data: a", [b"a"]),
        (b"event: e\ndata: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"event: e\n\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b": keep-alive\n\nid: 7\nretry: 10\ndata: a\n\n", [b"a"]),
        (b"database: a\n\n", []),
        (b"\n\n\n", []),
        (b"", []),
    ],
)
def test_events_by_the_standard(text: bytes, events: list[bytes]) -> None:
    """One optional space, joined data lines, comments and unknown fields skipped, a missing last blank line."""
    assert events_of([text]) == events


@pytest.mark.parametrize("chunks", [[b"x" * 1001], [b"x" * 600, b"x" * 600], [b"a\n", b"x" * 999, b"xx\n"]])
def test_a_line_without_end_is_refused(chunks: list[bytes]) -> None:
    """Memory is bounded by the limit, not by the provider's good will."""
    with pytest.raises(ServiceError):
        lines_of(chunks)


@pytest.mark.parametrize("line", [b"data: x\n", b"data\n", b"data: x\r\n"])
def test_an_event_without_end_is_refused(line: bytes) -> None:
    """Each of its lines is short, and no blank one ever comes."""
    with pytest.raises(ServiceError):
        events_of([line] * (2 * LIMIT))


def test_many_events_are_fine_whose_lines_are_short() -> None:
    """The limit is about an event, not about a stream."""
    assert len(events_of([b"data: 0123\ndata: 4567\n\n"] * LIMIT)) == LIMIT


def test_many_short_lines_in_one_read_are_fine() -> None:
    """The limit is about a line, not about a read."""
    assert len(lines_of([b"0123456789\n" * 1000])) == 1000
