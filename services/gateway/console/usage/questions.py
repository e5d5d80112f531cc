"""What the page is asked in its address, as parameters of the API: the same names, so that a link says the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from services.gateway.clients.oauth_views import Params
from services.gateway.edge.reading.params import first

DIMENSIONS: Final = ("model", "version", "provider", "key", "app", "endpoint", "status", "error", "tag")
# As the API has them; everything else in the address is not for it.
WHEN: Final = ("period", "from", "to", "tz")
FILTERS: Final = ("provider", "model", "version", "key", "app", "status", "endpoint", "error", "tag")
# Own dates, which come before the list of periods: it always says something.
DATES: Final = ("from", "to")
# More colours are not told apart; the rest is one series.
MOST_SERIES: Final = 7
# Of a hundred thousand tags nobody reads a table, and to draw it would hold up all other pages; the rest is one row.
MOST_GROUPS: Final = 100
DEFAULT_GROUP: Final = "model"


@dataclass(frozen=True, slots=True)
class UsageQuestion:
    """What is asked. `params` are those of the API that say when and which; `metric` is what the chart shows."""

    params: Params
    group: str
    bucket: str
    metric: str

    def value(self, name: str) -> str:
        """Return what the address says of a parameter."""
        return first(self.params, name)

    @property
    def filters(self) -> list[tuple[str, str]]:
        """Return what narrows the figures."""
        return [(name, value) for name, value in self.params if name in FILTERS]

    @property
    def without_filters(self) -> str:
        """Return the query of the same question about everything: its period, zone, step, group and metric stay."""
        view = [("bucket", self.bucket), ("group_by", self.group), ("metric", self.metric)]
        return urlencode([*when_of(self.params), *((name, value) for name, value in view if value)])

    def over_time(self) -> list[tuple[str, str]]:
        """Return the parameters of `GET /v1/usage/timeseries`."""
        bucket = [("bucket", self.bucket)] if self.bucket else []
        return [*self.params, *bucket, ("group_by", self.group), ("top", str(MOST_SERIES))]

    def by_group(self) -> list[tuple[str, str]]:
        """Return the parameters of `GET /v1/usage/summary`."""
        return [*self.params, ("group_by", self.group), ("top", str(MOST_GROUPS))]


def asked_of(query: Params) -> Params:
    """Return what an address says of when and which, for the API: whatever is wrong with it, the API says."""
    asked = [(name, value) for name, value in query if name in (*WHEN, *FILTERS) and value]
    has_dates = any(name in DATES for name, _ in asked)
    return [(name, value) for name, value in asked if not (has_dates and name == "period")]


def when_of(params: Params) -> Params:
    """Return what is asked of when: a period and its zone."""
    return [(name, value) for name, value in params if name in WHEN]


def question_of(query: Params, metrics: Sequence[str]) -> UsageQuestion:
    """Return what an address asks. What it says wrongly the API refuses; what only the page knows has a default."""
    group, metric = first(query, "group_by"), first(query, "metric")
    return UsageQuestion(
        asked_of(query),
        group if group in DIMENSIONS else DEFAULT_GROUP,
        first(query, "bucket"),
        metric if metric in metrics else metrics[0],
    )
