"""What a board is: rows of panels, each with a question and its queries; and how Grafana wants it written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.common import GraphThresholdsStyleConfig
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="prometheus")
HEIGHT: Final = 8
WIDTH: Final = 24
REFRESH: Final = "30s"
SHOWN: Final = "now-3h"
PLAIN: Final = "short"
A_SECOND: Final = "ops"
# A counter's rate, summed or not, with nothing done to it.
RATE: Final = re.compile(r"^(?:sum(?: by \([\w, ]+\))? ?\()?rate\([^()]+\)\)?$")
GOOD, BAD, NEUTRAL = "green", "red", "text"


class Kind(Enum):
    """How a panel shows its queries."""

    GRAPH = "graph"
    NUMBER = "number"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Query:
    """An expression of PromQL; `legend` names its series, `{{label}}` stands for a label's value."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """Where good ends: from `value` on a figure is bad, or below it where `is_least` is set."""

    value: float
    is_least: bool = False

    @property
    def steps(self) -> list[Threshold]:
        """Return it as Grafana's colours, from the lowest figure up."""
        below, above = (BAD, GOOD) if self.is_least else (GOOD, BAD)
        return [Threshold(None, below), Threshold(self.value, above)]


def at_least(value: float) -> Limit:
    """Return a limit below which a figure is bad."""
    return Limit(value, is_least=True)


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel answers one question.

    `unit` is Grafana's name of a unit. `only_after` says in words what must have happened before there is any series;
    empty: a suite that serves has some. `limit` is where an alarm or an objective says that it is bad, if one does.
    """

    title: str
    question: str
    queries: Sequence[Query]
    unit: str
    kind: Kind = Kind.GRAPH
    only_after: str = ""
    limit: Limit | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Panels that belong together, side by side."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard; `uid` is also the name of its file."""

    uid: str
    title: str
    about: str
    rows: Sequence[Row]

    @property
    def panels(self) -> list[Panel]:
        """Return the panels of all rows."""
        return [panel for row in self.rows for panel in row.panels]


def graph(
    title: str,
    question: str,
    *queries: tuple[str, str],
    unit: str = "",
    only_after: str = "",
    limit: Limit | None = None,
) -> Panel:
    """Return a panel with lines over time; queries are expressions and their legends.

    No `unit`: what is counted a second where all are rates, else a plain number.
    """
    asked = tuple(Query(*each) for each in queries)
    return Panel(title, question, asked, unit or _unit_of(asked), Kind.GRAPH, only_after, limit)


def _unit_of(queries: Sequence[Query]) -> str:
    return A_SECOND if all(RATE.match(query.expr) for query in queries) else PLAIN


def number(title: str, question: str, expr: str, *, unit: str = PLAIN, limit: Limit | None = None) -> Panel:
    """Return a panel with one figure, the last one."""
    return Panel(title, question, (Query(expr, title),), unit, Kind.NUMBER, limit=limit)


def listing(title: str, question: str, expr: str, *, unit: str = PLAIN, only_after: str = "") -> Panel:
    """Return a panel with a table: a line for each series."""
    return Panel(title, question, (Query(expr, title),), unit, Kind.TABLE, only_after)


def quantiles(metric: str, *by: str, of: tuple[float, ...] = (0.5, 0.95)) -> tuple[tuple[str, str], ...]:
    """Return queries of a histogram's quantiles, by labels."""
    labels = ", ".join((*by, "le"))
    legend = " ".join(f"{{{{{label}}}}}" for label in by)
    return tuple(
        (
            f"histogram_quantile({q:g}, sum by ({labels}) (rate({metric}_bucket[$__rate_interval])))",
            f"p{q * 100:g} {legend}".strip(),
        )
        for q in of
    )


def rate_by(metric: str, *by: str) -> tuple[str, str]:
    """Return the query of a counter's rate a second, by labels."""
    return f"sum by ({', '.join(by)}) (rate({metric}[$__rate_interval]))", " ".join(f"{{{{{each}}}}}" for each in by)


def json_of(board: Board) -> str:
    """Return the file that Grafana reads."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags(["razvilka"])
        .refresh(REFRESH)
        .time(SHOWN, "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
    )
    for row in board.rows:
        made.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            made.with_panel(_built(panel, WIDTH // len(row.panels)))
    return JSONEncoder(sort_keys=True, indent=1).encode(made.build()) + "\n"


def _built(panel: Panel, width: int) -> Any:
    builders: dict[Kind, Any] = {Kind.GRAPH: timeseries.Panel, Kind.NUMBER: stat.Panel, Kind.TABLE: table.Panel}
    made = builders[panel.kind]()
    made.title(panel.title).description(panel.question).unit(panel.unit).datasource(SOURCE).height(HEIGHT).span(width)
    # Without any, Grafana takes its own: red from 80 of whatever it is.
    steps = panel.limit.steps if panel.limit else [Threshold(None, NEUTRAL)]
    made.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    if panel.kind is Kind.GRAPH:
        style = GraphThresholdsStyleMode.DASHED if panel.limit else GraphThresholdsStyleMode.OFF
        made.thresholds_style(GraphThresholdsStyleConfig().mode(style))
    for number_of_query, query in enumerate(panel.queries):
        made.with_target(_target(query, chr(ord("A") + number_of_query), panel.kind))
    return made


def _target(query: Query, ref_id: str, kind: Kind) -> Any:
    target = prometheus.Dataquery().expr(query.expr).ref_id(ref_id).legend_format(query.legend)
    return target.instant().format(PromQueryFormat.TABLE) if kind is Kind.TABLE else target.range()
