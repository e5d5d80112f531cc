"""/console: what was spent and will be, how limits stand, whether providers work, and what is worth a look."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.gateway.console.demo import is_local
from services.gateway.console.forms.draft import Draft
from services.gateway.console.forms.faults import Fault
from services.gateway.console.spending import day_of, drawn_spending
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import PageAnswer, Redirect, TemplatePage
from services.gateway.pages.language import TEXTS
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.numbers import numbers_of
from services.gateway.pages.own_api import ApiRefused, OwnApi, Params
from services.gateway.pages.page_context import PageContext, part_of_path
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

# Each part of the page and the question that it shows the answer to.
PARTS: Final[Mapping[str, tuple[str, Params]]] = {
    "month": ("/v1/usage/timeseries", (("period", "month"), ("bucket", "day"))),
    "days": ("/v1/usage/timeseries", (("period", "30d"), ("bucket", "day"))),
    "forecast": ("/v1/usage/forecast", ()),
    "budgets": ("/v1/budgets", ()),
    "providers": ("/v1/providers/status", ()),
    "advice": ("/v1/usage/recommendations", ()),
    "anomalies": ("/v1/usage/anomalies", (("limit", "3"),)),
}
ADVICE: Final = f"{CONSOLE}/advice"
# Answers in the language that is asked for; all others have texts in both.
SPOKEN: Final = frozenset({"/v1/usage/forecast"})
MOST_ADVICE: Final = 3
NOTHING_YET: Final[Mapping[str, int]] = {"cost_micro_rub": 0, "requests": 0, "errors": 0}


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """The first page of the console. `may_break`: a visitor at this machine is shown where to break something."""

    shared: PageDependencies
    api: OwnApi
    may_break: bool

    def all(self) -> list[Endpoint]:
        """Return the page, and what its buttons do."""
        return member_pages(self.shared, [(CONSOLE, self.show, None), (ADVICE, None, self.decide)])

    async def show(self, page: PageContext) -> PageAnswer:
        """Show each part, or that it cannot be told at the moment."""
        return await self._shown(page)

    async def _shown(self, page: PageContext, fault: Fault | None = None) -> TemplatePage:
        answers = await asyncio.gather(*[self._part(page, *question) for question in PARTS.values()])
        parts = dict(zip(PARTS, answers, strict=True))
        words = TEXTS[page.language], numbers_of(page.language)
        own = {
            "drawn": parts["days"] and drawn_spending(parts["days"], *words),
            "today": parts["month"] and today_of(parts["month"]),
            "most_advice": MOST_ADVICE,
            "can_break": self.may_break and is_local(page),
        }
        values = {**parts, **own, "draft": Draft(page.form), "fault": fault}
        return TemplatePage("overview.html", values, fault.status if fault else 200, scripted=True)

    async def decide(self, page: PageContext) -> PageAnswer:
        """Accept a piece of advice, or dismiss it with a reason."""
        advice_id = part_of_path(first(page.form, "id"))
        order = {"state": first(page.form, "state"), "reason": first(page.form, "reason")}
        try:
            await self.api.send(page, "POST", f"/v1/usage/recommendations/{advice_id}", order)
        except ApiRefused as exc:
            if exc.status != 400:
                raise
            return await self._shown(page, Fault("", "overview.fault_advice", exc.message))
        return Redirect(CONSOLE)

    async def _part(self, page: PageContext, path: str, params: Params) -> Any:
        language = [("lang", page.language)] if path in SPOKEN else []
        return await self.api.get_if_up(page, path, [*params, *language])


def today_of(month: Any) -> Mapping[str, Any]:
    """Return the figures of the day that is running, from a month's days until now: a day without requests has none."""
    zone = ZoneInfo(month["period"]["time_zone"])
    today = day_of(month["period"]["to"], zone)
    return next((row for row in month["data"] if day_of(row["starts_at"], zone) == today), NOTHING_YET)
