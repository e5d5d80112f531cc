"""Figures as people of each language write them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.pages.numbers import numbers_of
from services.gateway.pages.rendering import Translator

# How programs write "never": no clock east of Greenwich can show it.
NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
BILLION = 10**9 * 1_000_000


@pytest.mark.parametrize(
    ("micro_rub", "ru", "en"),
    [
        (0, "0\xa0₽", "₽0"),
        (1_234_000_000, "1\xa0234\xa0₽", "₽1,234"),
        (99_900_000, "99,90\xa0₽", "₽99.90"),
        (-5_500_000, "−5,50\xa0₽", "−₽5.50"),
        (BILLION, "1\xa0000\xa0000\xa0000\xa0₽", "₽1,000,000,000"),
    ],
)
def test_amounts_are_written_to_the_kopeck(micro_rub: int, ru: str, en: str) -> None:
    """Whole roubles without a tail."""
    assert [numbers_of("ru").roubles(micro_rub), numbers_of("en").roubles(micro_rub)] == [ru, en]


@given(st.integers(0, 10**15), st.sampled_from(["ru", "en"]))
def test_the_last_micro_rouble_of_an_exact_amount_is_there(micro_rub: int, language: str) -> None:
    """However large it is: what is written can be read back."""
    text = numbers_of(language).exact_roubles(micro_rub)
    plain = text.replace("₽", "").replace("\xa0", "").replace("," if language == "en" else " ", "").replace(",", ".")
    whole, _, fraction = plain.partition(".")

    assert int(whole) * 1_000_000 + int(fraction.ljust(6, "0")) == micro_rub


def test_shares_times_and_moments_are_written_in_each_language() -> None:
    """99.99 % is not 100; a day is before its month."""
    ru, en = numbers_of("ru"), numbers_of("en")
    noon = datetime(2026, 11, 29, 12, 5, tzinfo=UTC)

    assert (ru.percent(0.5), en.percent(0.5)) == ("50\xa0%", "50%")
    assert (ru.percent(0.9996), en.percent(0.0004)) == (">99,9\xa0%", "<0.1%")
    assert (ru.percent(1.0), ru.percent(0.0), en.percent(1.0004)) == ("100\xa0%", "0\xa0%", "100%")
    assert (ru.percent_exact(0.99997), en.percent_exact(0.00003)) == (">99,99\xa0%", "<0.01%")
    assert (ru.percent_exact(0.9999), en.percent_exact(0.9999)) == ("99,99\xa0%", "99.99%")
    assert (ru.signed_percent(12.5), en.signed_percent(-12.5)) == ("+12,5\xa0%", "−12.5%")
    assert (ru.milliseconds(1234.4), en.milliseconds(None)) == ("1\xa0234\xa0мс", "–")
    assert ru.moment(noon, ZoneInfo("Europe/Moscow")) == "29.11.2026 15:05"
    assert en.moment(noon, ZoneInfo("Europe/Moscow")) == "29 Nov 2026, 15:05"
    assert ru.moment(NEVER, ZoneInfo("Europe/Moscow")) == "31.12.9999 23:59"
    assert (ru.roubles_text("0.001234"), en.roubles_text("12")) == ("0,001234\xa0₽", "₽12")


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 запросов"),
        (1, "1 запрос"),
        (2, "2 запроса"),
        (11, "11 запросов"),
        (21, "21 запрос"),
        (1234, "1\xa0234 запроса"),
    ],
)
def test_a_noun_agrees_with_its_count(count: int, expected: str) -> None:
    """In Russian there are three forms."""
    assert Translator("ru").count("count.requests", count) == expected


@pytest.mark.parametrize(
    ("language", "amount", "shown"),
    [
        ("ru", "20.000000000", "20,0000\u00a0₽"),
        ("en", "0.000000123", "₽0.000000123"),
        ("ru", "1234.5", "1\u00a0234,5000\u00a0₽"),
    ],
)
def test_lines_of_a_price_are_told_to_the_last_figure(language: str, amount: str, shown: str) -> None:
    """A thousandth of a micro-rouble is not lost, and none has a tail of zeros."""
    assert numbers_of(language).fine_roubles_text(amount) == shown


def test_costs_of_a_column_are_in_line() -> None:
    """Four places at least, six when they say something."""
    assert numbers_of("en").fine_roubles(59_000) == "₽0.0590"
    assert numbers_of("en").fine_roubles(1) == "₽0.000001"


def test_a_bucket_is_a_day_that_nobody_takes_for_another() -> None:
    """In English its month has a name; over a new year it has its year."""
    days = [datetime(2026, 2, 3), datetime(2026, 4, 5, 6)]
    told = {
        (language, bucket): numbers_of(language).buckets(days, bucket)
        for language in ("ru", "en")
        for bucket in ("hour", "day", "week", "month")
    }

    assert told["ru", "hour"] == ["03.02 00:00", "05.04 06:00"]
    assert told["en", "hour"] == ["3 Feb 00:00", "5 Apr 06:00"]
    assert told["ru", "day"] == told["ru", "week"] == ["03.02", "05.04"]
    assert told["en", "day"] == told["en", "week"] == ["3 Feb", "5 Apr"]
    assert (told["ru", "month"], told["en", "month"]) == (["02.2026", "04.2026"], ["Feb 2026", "Apr 2026"])
    years = [datetime(2025, 2, 3), datetime(2026, 2, 2)]
    assert numbers_of("ru").buckets(years, "week") == ["03.02.25", "02.02.26"]
    assert numbers_of("en").buckets(years, "day") == ["3 Feb 25", "2 Feb 26"]


@pytest.mark.parametrize(("language", "expected"), [("ru", "31.01.2027"), ("en", "31 Jan 2027")])
def test_a_day_of_the_api_is_written_as_people_write_it(language: str, expected: str) -> None:
    """As beside it every moment is."""
    assert numbers_of(language).day("2027-01-31") == expected
