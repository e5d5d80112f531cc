"""The report `summary`: totals, the period before, and sums by model, provider, key and day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from services.usage.reports.domain.order import Order
from services.usage.reports.domain.tables import CellRow, CellType, Column
from services.usage.statistics.domain.detailed_stats import Period
from services.usage.statistics.domain.figures import Figures, Quantiles
from services.usage.statistics.domain.query import Dimension

FIGURES: Final = (
    Column("requests", CellType.INTEGER),
    Column("errors", CellType.INTEGER),
    Column("tokens_input", CellType.INTEGER),
    Column("tokens_cached", CellType.INTEGER),
    Column("tokens_output", CellType.INTEGER),
    Column("tokens_reasoning", CellType.INTEGER),
    Column("cost_rub", CellType.ROUBLES),
    Column("latency_p50_ms", CellType.INTEGER),
    Column("latency_p95_ms", CellType.INTEGER),
)
# Where all of a summary is one table.
COLUMNS: Final = (Column("section"), Column("name"), *FIGURES)
GROUPS: Final = {"model": Dimension.VERSION, "provider": Dimension.PROVIDER, "key": Dimension.KEY}


@dataclass(frozen=True, slots=True)
class Line:
    """Figures of one model, key or day; an empty name: requests without one."""

    name: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Section:
    """Lines that add up to the totals; `name` is `model`, `provider`, `key`, `day` or `month`."""

    name: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole summary.

    Attributes:
        order: what was asked for.
        taken_at: when its one snapshot was taken.
        previous_period: what is compared with.
    """

    order: Order
    taken_at: datetime
    totals: Figures
    previous_period: Period
    previous: Figures
    sections: tuple[Section, ...]


def cells_of(figures: Figures) -> CellRow:
    """Return the cells of the columns `FIGURES`."""
    return (
        figures.requests,
        figures.errors,
        figures.tokens_input,
        figures.tokens_cached,
        figures.tokens_output,
        figures.tokens_reasoning,
        figures.cost_micro_rub,
        _whole(figures.latency.p50),
        _whole(figures.latency.p95),
    )


def flat_rows(summary: Summary) -> Iterator[CellRow]:
    """Yield the rows of everything as one table, without the totals, which come last."""
    for section in summary.sections:
        for line in section.lines:
            yield (section.name, line.name, *cells_of(line.figures))
    yield ("previous", "", *cells_of(summary.previous))


def condensed(section: Section, most: int, other: str) -> Section:
    """Return the section with at most so many lines: the cheapest become one, so that the sum stays the sum."""
    if len(section.lines) <= most:
        return section
    ranked = sorted(section.lines, key=lambda line: -line.figures.cost_micro_rub)
    rest = Line(other, added([line.figures for line in ranked[most - 1 :]]))
    return replace(section, lines=(*ranked[: most - 1], rest))


def by_month(days: Section) -> Section:
    """Return the months of a section of days: a long span has too many days to look at."""
    months: dict[str, list[Figures]] = {}
    for line in days.lines:
        months.setdefault(line.name[:7], []).append(line.figures)
    return Section("month", tuple([Line(name, added(figures)) for name, figures in months.items()]))


def with_empty_days(days: Section, until: date) -> Section:
    """Return the section with a line for each day without a request, too, from its first day until before `until`."""
    known = {line.name: line for line in days.lines}
    if not known:
        return days
    first = date.fromisoformat(min(known))
    names = [(first + timedelta(days=number)).isoformat() for number in range((until - first).days)]
    return replace(days, lines=tuple([known.pop(name, Line(name, Figures())) for name in names] + [*known.values()]))


def added(parts: Sequence[Figures]) -> Figures:
    """Return the sums of several figures; of quantiles there is no sum."""
    return Figures(
        requests=sum(part.requests for part in parts),
        errors=sum(part.errors for part in parts),
        fallbacks=sum(part.fallbacks for part in parts),
        tokens_input=sum(part.tokens_input for part in parts),
        tokens_output=sum(part.tokens_output for part in parts),
        tokens_cached=sum(part.tokens_cached for part in parts),
        tokens_reasoning=sum(part.tokens_reasoning for part in parts),
        cost_micro_rub=sum(part.cost_micro_rub for part in parts),
        saved_micro_rub=sum(part.saved_micro_rub for part in parts),
        output_ms=sum(part.output_ms for part in parts),
        tokens_streamed=sum(part.tokens_streamed for part in parts),
        latency=parts[0].latency if len(parts) == 1 else Quantiles(),
        first_token=parts[0].first_token if len(parts) == 1 else Quantiles(),
    )


def _whole(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else round(milliseconds)
