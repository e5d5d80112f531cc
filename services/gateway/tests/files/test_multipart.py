"""A form is read however it is cut, and nothing of it fails what keeps it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.errors import InvalidRequest
from services.gateway.files.multipart import MOST_FIELDS, MultipartForm

BOUNDARY = b"XX"
HEADERS = [(b"content-type", b"multipart/form-data; boundary=" + BOUNDARY)]
# What a reader that is cut through a line end, a boundary or a letter could take for another thing.
PIECES = st.sampled_from([b"\r", b"\n", b"\r\n", b"--XX", b"\r\n--X", b"\r\n--", b"-", "ж".encode(), b"{}\n"])
NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters='"\\'), min_size=1, max_size=24)


def form_of(name: str, content: bytes) -> bytes:
    disposition = f'content-disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    purpose = b'--XX\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    return purpose + b"--XX\r\n" + disposition + content + b"\r\n--XX--\r\n"


async def read(form: bytes, cuts: list[int]) -> tuple[dict[str, str], set[str], bytes]:
    """Return the fields of a form, the names that its file was given, and the file."""
    names: set[str] = set()
    content = bytearray()

    async def take(name: str, piece: bytes) -> None:
        names.add(name)
        content.extend(piece)

    reading = MultipartForm({"headers": HEADERS}, take)
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(form)], strict=True):
        await reading.feed(form[begin:end])
    reading.end()
    return reading.fields, names, bytes(content)


@given(NAMES, st.lists(PIECES, min_size=1).map(b"".join), st.lists(st.integers(0, 400), max_size=8))
async def test_a_form_is_the_same_however_it_is_cut(name: str, content: bytes, cuts: list[int]) -> None:
    """The name is Russian mostly, and some of its bytes are line ends to those who read them as Latin-1."""
    if b"\r\n--XX" in b"\r\n" + content:
        return

    assert await read(form_of(name, content), cuts) == ({"purpose": "batch"}, {name}, content)


@pytest.mark.parametrize("missing", [b"\r\n--XX--\r\n", b"--\r\n", b"X--\r\n"])
async def test_a_form_that_was_cut_off_is_refused(missing: bytes) -> None:
    """Its file may be a part of one, which would be billed line by line."""
    with pytest.raises(InvalidRequest, match="no end"):
        await read(form_of("a.jsonl", b"{}\n{}").removesuffix(missing), [])


async def test_a_form_ends_with_its_last_boundary() -> None:
    """The line end behind it is nobody's duty."""
    assert (await read(form_of("a.jsonl", b"{}").removesuffix(b"\r\n"), []))[2] == b"{}"


async def test_a_file_whose_name_cannot_be_kept_is_refused() -> None:
    """PostgreSQL has no text with NUL."""
    with pytest.raises(InvalidRequest, match="NUL"):
        await read(form_of("отчёт\0.jsonl", b"{}"), [])


@pytest.mark.parametrize("name", ["purpose", "field-{}", ""])
async def test_a_form_has_so_many_parts_and_no_more(name: str) -> None:
    """Whatever they are called: two million of one name fit into an upload, and were a minute of the gateway's time."""
    parts = (
        f'--XX\r\ncontent-disposition: form-data; name="{name.format(number)}"\r\n\r\n\r\n'
        for number in range(MOST_FIELDS + 2)
    )

    with pytest.raises(InvalidRequest, match="too many fields"):
        await read("".join(parts).encode(), [])
