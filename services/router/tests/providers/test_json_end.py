"""Whether arguments that come in pieces are whole, asked at every piece: each is read once."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.providers.openai_dialect.json_end import JsonEnd

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('a"\\{}[]ж\n')),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.sampled_from('a"\\}')), inner),
    max_leaves=8,
)


def is_whole(text: str) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return True


@given(st.dictionaries(st.text(), VALUES), st.booleans())
def test_an_object_is_whole_at_its_last_bracket(value: dict[str, object], is_ascii: bool) -> None:
    """However it is cut, and whatever brackets, quotes and escapes are in its texts."""
    end, text = JsonEnd(), json.dumps(value, ensure_ascii=is_ascii)
    for at, letter in enumerate(text, 1):
        assert not end.is_reached, text[: at - 1]
        end.feed(letter)
        end.feed("")
    assert end.is_reached
    end.feed(" \n")
    assert end.is_reached


@pytest.mark.parametrize("text", ["", "null", "5", '"text"', '"te', "tru", "true", "x" * 100, '"' + "x" * 100 + '"'])
def test_what_has_no_brackets_is_read_when_it_is_short(text: str) -> None:
    """Arguments are objects; a few upstreams say a word in place of one."""
    end = JsonEnd()
    end.feed(text)

    assert end.is_reached is (is_whole(text) and len(text) <= 64)


def test_a_piece_is_read_once() -> None:
    """An upstream that names the call in each of a million pieces had all of them read again at each."""
    end = JsonEnd()
    end.feed('{"text": "')
    for _ in range(100_000):
        end.feed("x")
        assert not end.is_reached
    assert len(end._short) <= 65
    end.feed('"}')
    assert end.is_reached
