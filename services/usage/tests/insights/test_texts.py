"""Texts in both languages say the same figures, as each language writes them."""

from __future__ import annotations

from datetime import date
from string import Formatter

import pytest

from services.usage.insights.domain.finding import Pattern
from services.usage.insights.domain.patterns import look_for
from services.usage.insights.domain.texts import TEXTS
from services.usage.insights.domain.values import (
    LOCALES,
    NOUNS,
    Count,
    Day,
    Hours,
    Money,
    Number,
    Seconds,
    Share,
    Weekday,
)
from services.usage.tests.insights.material import hours, material
from services.usage.tests.insights.test_patterns import FINDS, FIRES, limit

KOPECKS = {"nbsp"}


def fields(text: str) -> set[str]:
    """Return the names in braces, without those that only one language needs."""
    return {name for _, name, _, _ in Formatter().parse(text) if name} - KOPECKS


@pytest.mark.parametrize("wording", TEXTS)
def test_a_text_is_there_in_both_languages_with_the_same_figures(wording: str) -> None:
    """A figure that one language lacks is a fact that its readers lack."""
    assert set(TEXTS[wording]) == set(LOCALES)
    assert fields(TEXTS[wording]["ru"]) == fields(TEXTS[wording]["en"])


def test_every_pattern_has_a_text() -> None:
    """Some have several."""
    assert {pattern.value for pattern in Pattern} <= TEXTS.keys()


@pytest.mark.parametrize(("pattern", "made_for"), [case[:2] for case in FIRES])
def test_what_is_found_is_put_into_words(pattern: Pattern, made_for: dict[str, object]) -> None:
    """No brace is left, and the languages differ."""
    for each in look_for({pattern: FINDS[pattern]}, material(**made_for)):
        assert "{" not in each.texts["ru"] + each.texts["en"]
        assert each.texts["ru"] != each.texts["en"]
        assert any("а" <= letter <= "я" for letter in each.texts["ru"].lower())
        assert not any("а" <= letter <= "я" for letter in each.texts["en"].lower())


@pytest.mark.parametrize(
    ("value", "russian", "english"),
    [
        (Money(1_830_400_000), "1 830 ₽", "₽1,830"),
        (Money(-99_990_000), "−99,99 ₽", "−₽99.99"),
        (Money(5, signed=True), "+0,00 ₽", "+₽0.00"),
        (Share(0.084), "8,4 %", "8.4%"),
        (Share(0.31), "31 %", "31%"),
        (Number(34.4), "34", "34"),
        (Seconds(1900), "1,9 с", "1.9 s"),
        (Day(date(2026, 12, 15)), "15.12.2026", "15 Dec 2026"),
        (Count(1240, "request"), "1 240 запросов", "1,240 requests"),
        (Count(21, "day"), "21 день", "21 days"),
        (Count(1, "token"), "1 токен", "1 token"),
        (Count(3, "series"), "3 серии", "3 series"),
        (Count(12, "series"), "12 серий", "12 series"),
        (Weekday(1), "вторникам", "Tuesdays"),
        (Hours(frozenset({10, 11, 12, 13})), "10:00–14:00", "10:00–14:00"),
        (Hours(frozenset({23, 0, 5})), "05:00–06:00, 23:00–01:00", "05:00–06:00, 23:00–01:00"),
        (Hours(frozenset({22, 23})), "22:00–24:00", "22:00–24:00"),
    ],
)
def test_figures_are_written_as_the_language_does(value, russian: str, english: str) -> None:
    """Commas, spaces that do not break, signs, plurals."""
    assert value.text("ru").replace("\u00a0", " ") == russian
    assert value.text("en").replace("\u00a0", " ") == english


def test_every_noun_has_its_plurals() -> None:
    """One, few and many in Russian; one and other in English."""
    assert {(len(forms["ru"]), len(forms["en"])) for forms in NOUNS.values()} == {(3, 2)}


def test_an_hour_that_holds_nearly_all_requests_is_not_said_to_hold_half() -> None:
    """One batch a day."""
    weights = [97 if hour == 3 else 0 for hour in range(23)] + [3]

    (peak,) = FINDS[Pattern.PEAK_HOURS](material(hours=hours(weights=weights)))

    assert peak.texts["en"] == "97% of the requests come at 03:00–04:00 (UTC)."


@pytest.mark.parametrize(
    ("spent", "russian", "english"),
    [
        (
            99,
            "Лимит 100 ₽ (месяц) будет исчерпан 23.11.2026",
            "The limit of ₽100 (month) will be reached on 23 Nov 2026",
        ),
        (100, "Лимит 100 ₽ (месяц) исчерпан.", "The limit of ₽100 (month) is reached."),
    ],
)
def test_a_limit_that_is_reached_is_not_going_to_be(spent: int, russian: str, english: str) -> None:
    """Nor is the name of its period a word of another language."""
    (found,) = FINDS[Pattern.LIMIT_ETA](material(**limit(spent)))

    assert found.texts["ru"].replace("\u00a0", " ").startswith(russian)
    assert found.texts["en"].startswith(english)
