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
from services.usage.reports.domain.head import Head
from services.usage.reports.domain.order import Language
from services.usage.reports.domain.summary import (
    FIGURES,
    Line,
    Section,
    Summary,
    by_month,
    cells_of,
    condensed,
    with_empty_days,
)
from services.usage.reports.domain.tables import Cell, CellRow, CellType, Column, amount
from services.usage.reports.domain.words import word

# What a page shows well; the rest of a long list is one line, so that the sum stays the sum.
MOST_LINES: Final = 25
MOST_DAYS: Final = 62
# Of the chart, in the units of its drawing; the page is as wide as that.
CHART_SIZE: Final = (960, 200)
# The one that the template sets text in: no other is at hand.
FONT: Final = "Libertinus Serif"
NO_BREAK_SPACE: Final = "\u00a0"


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
            [word("total", language), *_cells(cells_of(summary.totals))],
            [word("previous", language), *_cells(cells_of(summary.previous))],
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
    rows = [[line.name or word("none", language), *_cells(cells_of(line.figures))] for line in section.lines]
    return {"title": word(section.name, language), "first": word("name", language), "rows": rows}


def _chart(section: Section, language: Language) -> dict[str, Any]:
    title = word(f"cost_by_{section.name}", language)
    costs = [line.figures.cost_micro_rub for line in section.lines]
    chart = Chart(
        title, [_short(line) for line in section.lines], [Series("", costs)], lambda cost: amount(round(cost))
    )
    asked = [line for line in section.lines if line.figures.requests]
    told = "; ".join(f"{line.name}: {amount(line.figures.cost_micro_rub)}" for line in asked)
    return {"title": title, "alt": f"{title}. {told}", "svg": draw(chart, *CHART_SIZE, font=FONT)}


def _short(line: Line) -> str:
    return line.name[5:] if len(line.name) > len("2026-11") else line.name


def _cells(row: CellRow) -> list[str]:
    return [_cell(column, cell) for column, cell in zip(FIGURES, row, strict=True)]


def _cell(column: Column, cell: Cell) -> str:
    if not isinstance(cell, int):
        return "—"
    if column.type is CellType.ROUBLES:
        return amount(cell)
    return f"{cell:,}".replace(",", NO_BREAK_SPACE)
