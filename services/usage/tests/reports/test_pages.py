"""Pages of a PDF: what is on them stays in its place."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from servicekit.testing.fake_clock import MIDDAY
from services.usage.reports.domain.head import Head
from services.usage.reports.domain.order import Format, Language, Order, Wishes
from services.usage.reports.domain.summary import Line, Section, Summary
from services.usage.reports.writers.pdf import chart_lines, write_pdf
from services.usage.statistics.domain.detailed_stats import Period
from services.usage.statistics.domain.figures import Figures
from services.usage.statistics.domain.query import Dimension
from services.usage.tests.reports.files import text_of
from services.usage.tests.reports.histories import file_of, history, order, store_history

# As long as the name of a key may be, and no place in it where a line could end.
LONG = "W" * 100
# What the cell of a name takes, and the page from its edge.
LETTERS_OF_A_CELL = 25
LETTERS_OF_A_PAGE = 160


async def test_long_names_do_not_run_over_the_figures_beside_them(generation, store):
    """Keys are called without spaces: the name lay over the whole row and beyond the page."""
    await store_history(store, history(30))
    asked = order(Format.PDF, key_names={"key-0": LONG}, filters={Dimension.KEY: ("key-0", "x" * 300)})

    text = text_of(await file_of(generation, asked))

    lines = re.findall("W+", text)
    assert "".join(lines) == LONG
    assert max(map(len, lines)) < LETTERS_OF_A_CELL
    assert max(map(len, re.findall("x+", text))) < LETTERS_OF_A_PAGE
    # Whoever copies a name gets the name.
    assert "\u200b" not in text


@pytest.mark.parametrize(
    ("asked", "columns"),
    [
        (["2026-11-20", "2026-11-21"], [f"2026-11-{day}" for day in (20, 21, 22, 23)]),
        (["2026-11-02", "2026-11-23"], [f"2026-11-{day:02}" for day in range(2, 24)]),
        (["2026-07-15", "2026-11-15"], ["2026-07", "2026-08", "2026-09", "2026-10", "2026-11"]),
        (["2026-11-23", "2026-11-24"], ["2026-11-23", "2026-11-24"]),
    ],
)
def test_days_without_requests_are_columns_of_the_chart(asked: list[str], columns: list[str]) -> None:
    """A week of silence was as wide as a night, and months of it as one day; the last day is today, at noon."""
    days = Section("day", tuple([Line(day, Figures(requests=1, cost_micro_rub=5)) for day in asked]))
    made = replace(order(Format.PDF), since=MIDDAY - timedelta(days=365), until=MIDDAY + timedelta(days=30))

    shown = chart_lines(days, Head(made, MIDDAY))

    assert [line.name for line in shown.lines] == columns
    assert sum(line.figures.cost_micro_rub for line in shown.lines) == 10


@pytest.mark.parametrize(
    ("language", "cost", "tokens", "day", "since", "filtered"),
    [
        (Language.RU, "1 234,500000", "1 000 000", "20.11.2026", "20.11.2026 00:00", "Модель: yandexgpt"),
        (Language.EN, "1,234.500000", "1,000,000", "20 Nov 2026", "20 Nov 2026, 00:00", "Model: yandexgpt"),
    ],
)
def test_the_pdf_writes_figures_days_and_filters_in_its_language(language, cost, tokens, day, since, filtered):
    """Not a decimal point on a Russian page, nor thousands of Russian in English."""
    figures = Figures(requests=1, tokens_input=1_000_000, cost_micro_rub=1_234_500_000)
    begin = datetime(2026, 11, 20, tzinfo=UTC)
    wishes = Wishes(format=Format.PDF, language=language, zone="UTC", filters={Dimension.MODEL: ("yandexgpt",)})
    ordered = Order("u", begin, begin + timedelta(days=1), wishes)
    days = Section("day", (Line("2026-11-20", figures),))
    period = Period(begin - timedelta(days=1), begin)
    file = io.BytesIO()

    write_pdf(file, Summary(ordered, begin, figures, period, Figures(), (days,)))

    text = text_of(file.getvalue()).replace("\u00a0", " ")
    for expected in (cost, tokens, day, since, filtered):
        assert expected in text, expected
