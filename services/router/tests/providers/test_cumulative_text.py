"""Deltas out of cumulative texts, also when the provider changes its mind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.providers.yandexgpt.cumulative_text import CumulativeText

FAMILY = "👨\u200d👩\u200d👧"


def told(partials: list[str], last: str, hold_back: int = 0) -> list[str]:
    """Return what is shown at each step."""
    text = CumulativeText(hold_back)
    return [*(text.partial(partial) for partial in partials), text.final(last)]


@pytest.mark.parametrize(
    ("partials", "last", "shown"),
    [
        (["Се", "Север"], "Север", ["Се", "вер", ""]),
        (["a", "ab"], "abc", ["a", "b", "c"]),
        (["a", "a"], "a", ["a", "", ""]),
        # A rewrite that is taken back: nothing is shown until the text agrees again.
        (["кот", "кит", "котик"], "котики", ["кот", "", "ик", "и"]),
        # A rewrite that stands: what follows the common beginning is all that can be said.
        (["кот пришёл", "кит"], "кит ушёл", ["кот пришёл", "", "ит ушёл"]),
        (["Я могу"], "Об этом нет.", ["Я могу", "Об этом нет."]),
        (["abc", "ab"], "abcd", ["abc", "", "d"]),
        (["да " + FAMILY[:1], "да " + FAMILY[:3]], "да " + FAMILY, ["да ", "", FAMILY]),
        ([], "всё сразу", ["всё сразу"]),
    ],
)
def test_shows_what_is_new(partials: list[str], last: str, shown: list[str]) -> None:
    """The rule of the delta, case by case."""
    assert told(partials, last) == shown


@pytest.mark.parametrize(
    ("partials", "last", "shown"),
    [([], "Об этом нет.", "Об этом нет."), (["Об э"], "Об этом нет.", "том нет."), (["Я могу"], "Об этом нет.", "")],
    ids=["nothing was shown", "it goes on", "something else was shown"],
)
def test_a_text_in_place_of_the_answer_is_not_added_to_it(partials: list[str], last: str, shown: str) -> None:
    """The filter's: appended to half an answer it made nonsense."""
    text = CumulativeText()
    for partial in partials:
        text.partial(partial)

    assert text.in_place_of(last) == shown


@given(st.text(), st.lists(st.integers(0, 100)), st.integers(0, 8))
def test_growing_texts_come_out_whole(text: str, cuts: list[int], hold_back: int) -> None:
    """Whatever the steps, the pieces make the text, and nothing is said twice."""
    partials = [text[:cut] for cut in sorted(cuts)]

    assert "".join(told(partials, text, hold_back)) == text


def test_holding_back_hides_a_rewrite_of_the_last_letters() -> None:
    """The strict policy shows late what may still change."""
    assert told(["Северная сто", "Северная стая"], "Северная стая!", hold_back=3) == ["Северная ", "с", "тая!"]


def test_counts_rewrites() -> None:
    """A rewrite is a fact worth a metric; a shorter text that agrees is none."""
    text = CumulativeText()
    text.partial("кот")
    text.partial("ко")
    assert text.rewrites == 0

    text.partial("кит")

    assert text.rewrites == 1
