"""The page: a question in its address, the API's answers, a chart with its table."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from servicekit.charts.svg import COLOURS, draw
from services.gateway.analytics.grammar import BUCKETS, PERIODS
from services.gateway.console.usage.charting import Words, chart_of, days_of, name_of
from services.gateway.console.usage.metrics import METRICS
from services.gateway.console.usage.questions import DIMENSIONS, UsageQuestion, question_of
from services.gateway.edge.endpoint import Endpoint
from services.gateway.pages.answers import PageAnswer, TemplatePage
from services.gateway.pages.language import TEXTS
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.numbers import numbers_of
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

PATH: Final = f"{CONSOLE}/usage"
CHOICES: Final = {"periods": PERIODS, "buckets": BUCKETS, "dimensions": DIMENSIONS, "metrics": tuple(METRICS)}


@dataclass(frozen=True, slots=True)
class UsagePage:
    """Usage over time, by group, and beside the period before."""

    shared: PageDependencies
    api: OwnApi

    def all(self) -> list[Endpoint]:
        """Return the page."""
        return member_pages(self.shared, [(PATH, self.show, None)])

    async def show(self, page: PageContext) -> PageAnswer:
        """Show what is asked, or what is wrong with the question."""
        asked = question_of(page.query, tuple(METRICS))
        everything = f"{PATH}?{asked.without_filters}"
        values = {"asked": asked, "choices": CHOICES, "everything": everything, "refused": None}
        try:
            answers = await self._answers(page, asked)
        except ApiRefused as exc:
            if exc.status != 400:
                raise
            return TemplatePage("usage.html", {**values, "refused": exc}, 400, scripted=True)
        return TemplatePage("usage.html", {**values, **answers}, scripted=True)

    async def _answers(self, page: PageContext, asked: UsageQuestion) -> Mapping[str, Any]:
        metric = METRICS[asked.metric]
        series, summary = await asyncio.gather(
            self.api.get(page, "/v1/usage/timeseries", [*asked.over_time(), *metric.question]),
            self.api.get(page, "/v1/usage/summary", asked.by_group()),
        )
        words = _words(page.language, asked)
        chart = chart_of(series, metric, words, numbers_of(page.language))
        groups = [{"name": name_of(row, words), **row} for row in summary["data"]]
        return {
            "chart": chart,
            "drawn": draw(chart) if chart.labels else "",
            "days": days_of(series),
            "colours": len(COLOURS),
            "summary": summary,
            "groups": groups,
        }


def _words(language: str, asked: UsageQuestion) -> Words:
    texts = TEXTS[language]
    title = f"{texts[f'metric.{asked.metric}']}, {texts[f'dimension.{asked.group}']}"
    return Words(title, texts["usage.no_name"], texts["usage.other"])
