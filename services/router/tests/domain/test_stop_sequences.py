"""Stop sequences across pieces."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.stop_sequences import StopCutter


@pytest.mark.parametrize(
    ("stops", "pieces", "shown", "matched"),
    [
        (["END"], ["abc", "END", "def"], "abc", True),
        (["END"], ["abE", "N", "Dx"], "ab", True),
        (["END"], ["abE", "Nx"], "abENx", False),
        (["ab", "b"], ["xab"], "x", True),
        (["\n"], ["a\nb"], "a", True),
        (["aab"], ["aaab"], "a", True),
        ([""], ["abc"], "abc", False),
        (["стоп"], ["сто", "п", "ка"], "", True),
        (["END"], ["EN"], "EN", False),
    ],
)
def test_cuts_at_the_first_match(stops: list[str], pieces: list[str], shown: str, matched: bool) -> None:
    """Also when a sequence is spread over pieces; what only looked like one is shown in the end."""
    cutter = StopCutter(stops)

    said = "".join(cutter.feed(piece) for piece in pieces)

    assert (said + ("" if cutter.matched else cutter.flush()), cutter.matched) == (shown, matched)


@given(
    st.text("abc", max_size=30),
    st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=3),
    st.lists(st.integers(0, 30)),
)
def test_pieces_do_not_matter(text: str, stops: list[str], cuts: list[int]) -> None:
    """Cut piece by piece is as cut whole."""
    places = sorted(cuts)
    pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    cutter = StopCutter(stops)
    said = "".join(cutter.feed(piece) for piece in pieces)
    said += "" if cutter.matched else cutter.flush()
    ends = [text.find(stop) for stop in stops if stop in text]

    # A longer sequence that began earlier may only be known after a shorter one has ended.
    assert cutter.matched == bool(ends)
    assert text.startswith(said)
    if not ends:
        assert said == text
    elif len(stops) == 1:
        assert said == text[: min(ends)]


class Looked(str):
    """A stop sequence that counts how often a part of it is taken."""

    __slots__ = ("times",)

    def __getitem__(self, key: Any) -> str:
        self.times = getattr(self, "times", 0) + 1
        return super().__getitem__(key)


def test_a_long_stop_is_not_tried_at_every_length() -> None:
    """Four of 1,024 letters were four thousand comparisons for each piece of a stream: 1.5 ms of the router's time."""
    stop = Looked("q" + "x" * 1023)
    cutter = StopCutter([stop])

    said = [cutter.feed("some words " * 100) for _ in range(10)]

    assert "".join(said) == "some words " * 1000
    assert stop.times <= 10
