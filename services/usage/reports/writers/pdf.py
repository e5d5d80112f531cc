"""PDF of a summary: tagged, with a chart, its text can be searched. Typst sets it (ADR 27)."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any, BinaryIO, Final, cast

import msgspec
import typst

from servicekit.charts.chart import Chart, Series
from servicekit.charts.svg import draw
from services.usage.domain.numerals import whole_number
from services.usage.reports.domain.head import Head
from services.usage.reports.domain.order import Language
from services.usage.reports.domain.summary import (
    FIGURES,
    Section,
    Summary,
    by_month,
    cells_of,
    condensed,
    with_empty_days,
)
from services.usage.reports.domain.tables import Cell, CellRow, CellType, Column
from services.usage.reports.domain.words import word
from services.usage.reports.domain.written import day, roubles, short_day

# What a page shows well; the rest of a long list is one line, so that the sum stays the sum.
MOST_LINES: Final = 25
MOST_DAYS: Final = 62
# Of the chart, in the units of its drawing; the page is as wide as that.
CHART_SIZE: Final = (960, 200)
# The one that the template sets text in: no other is at hand.
FONT: Final = "Libertinus Serif"


@lru_cache(maxsize=1)
def _fonts() -> typst.Fonts:
    # Those inside the package only: what a machine has installed must not change a report.
    return typst.Fonts(include_system_fonts=False)


@lru_cache(maxsize=1)
def _template() -> bytes:
    return files(__package__).joinpath("report.typ").read_bytes()


def write_pdf(file: BinaryIO, summary: Summary) -> None:
    """Write the summary."""
    data = msgspec.json.encode(_data(summary)).decode()
    compiler = typst.Compiler(_template(), font_paths=_fonts(), ignore_system_fonts=True, sys_inputs={"report": data})
    made = compiler.compile(format="pdf", timestamp=summary.taken_at.replace(microsecond=0))
    file.write(cast("bytes", made))


def _data(summary: Summary) -> dict[str, Any]:
    head, language = Head(summary.order, summary.taken_at), summary.order.wishes.language
    sections = [_shown(section, language) for section in summary.sections]
    days = next(section for section in summary.sections if section.name == "day")
    return {
        "title": head.title,
        "language": language.value,
        "facts": [[label, value] for label, value in head.facts()],
        "columns": [column.title(language) for column in FIGURES],
        "totals_word": word("totals", language),
        "page_word": word("page", language),
        "empty_word": word("empty", language),
        "totals": [
            [word("total", language), *_cells(cells_of(summary.totals), language)],
            [word("previous", language), *_cells(cells_of(summary.previous), language)],
        ],
        "chart": _chart(chart_lines(days, head), language) if summary.totals.requests else None,
        "sections": [_section(section, language) for section in sections if section.lines],
    }


def _shown(section: Section, language: Language) -> Section:
    if section.name == "day":
        return by_month(section) if len(section.lines) > MOST_DAYS else section
    return condensed(section, MOST_LINES, word("other", language))


def chart_lines(days: Section, head: Head) -> Section:
    """Return what the chart shows: days, or months of a long span; a day without a request is a gap, not left out."""
    last = head.local(min(head.order.until, head.taken_at) - timedelta(microseconds=1)).date()
    whole = with_empty_days(days, last + timedelta(days=1))
    return by_month(whole) if len(whole.lines) > MOST_DAYS else whole


def _section(section: Section, language: Language) -> dict[str, Any]:
    is_of_days = section.name in ("day", "month")
    names = [day(line.name, language) if is_of_days else line.name for line in section.lines]
    rows = [
        [name or word("none", language), *_cells(cells_of(line.figures), language)]
        for name, line in zip(names, section.lines, strict=True)
    ]
    return {"title": word(section.name, language), "first": word("name", language), "rows": rows}


def _chart(section: Section, language: Language) -> dict[str, Any]:
    title = word(f"cost_by_{section.name}", language)
    costs = [line.figures.cost_micro_rub for line in section.lines]
    labels = [short_day(line.name, language) for line in section.lines]
    chart = Chart(title, labels, [Series("", costs)], lambda cost: roubles(round(cost), language, least_places=0))
    asked = [line for line in section.lines if line.figures.requests]
    told = "; ".join(f"{day(line.name, language)}: {roubles(line.figures.cost_micro_rub, language)}" for line in asked)
    return {"title": title, "alt": f"{title}. {told}", "svg": draw(chart, *CHART_SIZE, font=FONT)}


def _cells(row: CellRow, language: Language) -> list[str]:
    return [_cell(column, cell, language) for column, cell in zip(FIGURES, row, strict=True)]


def _cell(column: Column, cell: Cell, language: Language) -> str:
    if not isinstance(cell, int):
        return word("none", language)
    return roubles(cell, language) if column.type is CellType.ROUBLES else whole_number(cell, language)
