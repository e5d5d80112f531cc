"""How large a text can be in tokens."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.inference.size.text_size import Script, TextSize, size_of

CASES = {
    "Russian": ("Привет, мир!", TextSize(cyrillic=9, signs=2, blanks=1, chars=12)),
    "English": ("Hello 42", TextSize(latin=5, digits=2, blanks=1, chars=8)),
    "code": ("f(x) -> [1]\n", TextSize(latin=2, digits=1, signs=6, blanks=3, chars=12)),
    "Chinese, counted in bytes": ("你好", TextSize(other=6, chars=2)),
    "an emoji, counted in bytes": ("😀", TextSize(other=4, chars=1)),
    "nothing": ("", TextSize()),
}


@pytest.mark.parametrize(("text", "size"), CASES.values(), ids=CASES)
def test_characters_count_by_script(text: str, size: TextSize) -> None:
    """Letters, digits, signs and blanks one each, everything else by its bytes."""
    assert size_of(text.encode()) == size


@given(st.text())
def test_the_bound_lies_between_visible_characters_and_bytes(text: str) -> None:
    """A tokenizer that knows each character stays within it, and it is never more than the bytes."""
    size = size_of(text.encode())

    assert size.chars == len(text)
    assert len(text) <= size.token_bound <= len(text.encode())


@given(st.lists(st.text(), max_size=5))
def test_sizes_add_up(texts: list[str]) -> None:
    """The size of all is that of the texts in a row."""
    whole = reduce(str.__add__, texts, "")
    sizes = [size_of(text.encode()) for text in texts]

    assert TextSize(*map(sum, zip(*sizes, strict=True))) == size_of(whole.encode())


def test_scripts_are_named_from_a_share_of_the_visible_text_on() -> None:
    """Blanks belong to nobody; the largest comes first."""
    size = size_of("привет мир hello 1".encode())

    assert size.scripts(0.2) == [Script.CYRILLIC, Script.LATIN]
    assert size.scripts(0.01) == [Script.CYRILLIC, Script.LATIN, Script.DIGITS]
    assert size_of(b"   ").scripts(0.2) == []
