"""What a board is: rows of panels, each with a question and its queries; and how Grafana wants it written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="prometheus")
HEIGHT: Final = 8
WIDTH: Final = 24
REFRESH: Final = "30s"
SHOWN: Final = "now-3h"


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
class Panel:
    """A panel answers one question.

    `unit` is Grafana's name of a unit. `only_after` says in words what must have happened before there is any series;
    empty: a suite that serves has some.
    """

    title: str
    question: str
    queries: Sequence[Query]
    unit: str = "short"
    kind: Kind = Kind.GRAPH
    only_after: str = ""


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


def graph(title: str, question: str, *queries: tuple[str, str], unit: str = "short", only_after: str = "") -> Panel:
    """Return a panel with lines over time; queries are expressions and their legends."""
    return Panel(title, question, tuple(Query(*each) for each in queries), unit, Kind.GRAPH, only_after)


def number(title: str, question: str, expr: str, *, unit: str = "short") -> Panel:
    """Return a panel with one figure, the last one."""
    return Panel(title, question, (Query(expr),), unit, Kind.NUMBER)


def listing(title: str, question: str, expr: str, *, unit: str = "short", only_after: str = "") -> Panel:
    """Return a panel with a table: a line for each series."""
    return Panel(title, question, (Query(expr),), unit, Kind.TABLE, only_after)


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
    for number_of_query, query in enumerate(panel.queries):
        made.with_target(_target(query, chr(ord("A") + number_of_query), panel.kind))
    return made


def _target(query: Query, ref_id: str, kind: Kind) -> Any:
    target = prometheus.Dataquery().expr(query.expr).ref_id(ref_id).legend_format(query.legend or "__auto")
    return target.instant().format(PromQueryFormat.TABLE) if kind is Kind.TABLE else target.range()
