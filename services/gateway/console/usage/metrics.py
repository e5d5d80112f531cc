"""What a chart of usage can show: each metric with where its value is in the API's figures and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from servicekit.charts.chart import Shape
from services.gateway.clients.oauth_views import Params
from services.gateway.pages.numbers import Numbers

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric. `value` is None where the figures say nothing of it; sums are bars, quantiles are lines."""

    value: Callable[[Figures], float | None]
    shown: Callable[[Numbers, float], str]
    shape: Shape = Shape.BARS

    @property
    def question(self) -> Params:
        """Return what its chart asks of `GET /v1/usage/timeseries` besides: durations are only there for who does."""
        return [("durations", "true")] if self.shape is Shape.LINES else []


def _roubles(numbers: Numbers, value: float) -> str:
    return numbers.roubles(round(value))


def _count(numbers: Numbers, value: float) -> str:
    return numbers.number(round(value))


def _tokens(figures: Figures) -> float:
    return float(figures["tokens_input"] + figures["tokens_output"])


METRICS: Final[Mapping[str, Metric]] = {
    "cost": Metric(lambda figures: figures["cost_micro_rub"], _roubles),
    "requests": Metric(lambda figures: figures["requests"], _count),
    "tokens": Metric(_tokens, _count),
    "errors": Metric(lambda figures: figures["errors"], _count),
    "latency": Metric(lambda figures: figures["latency_ms"]["p95"], Numbers.milliseconds, Shape.LINES),
    "first_token": Metric(lambda figures: figures["first_token_ms"]["p95"], Numbers.milliseconds, Shape.LINES),
}
