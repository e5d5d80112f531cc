"""/console/requests: the log of requests, page by page, and everything that is known of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from services.gateway.analytics.grammar import PERIODS
from services.gateway.clients.oauth_views import Params
from services.gateway.console.usage.questions import asked_of, when_of
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import PageAnswer, TemplatePage
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

PATH: Final = f"{CONSOLE}/requests"
ROWS: Final = 50
STATUSES: Final = ("completed", "interrupted", "failed")
LOG: Final = "requests.html"
# What narrows the log in fields of its form; all else in the address is carried along by it.
FIELDS: Final = ("period", "from", "to", "status", "version", "key", "tag")


@dataclass(frozen=True, slots=True)
class RequestPages:
    """The log, and one request explained."""

    shared: PageDependencies
    api: OwnApi

    def all(self) -> list[Endpoint]:
        """Return the pages."""
        return member_pages(self.shared, [(PATH, self.show, None), (f"{PATH}/{{request_id}}", self.explain, None)])

    async def show(self, page: PageContext) -> PageAnswer:
        """Show a page of the log, the newest first."""
        asked, cursor = asked_of(page.query), first(page.query, "cursor")
        choices = {"periods": PERIODS, "statuses": STATUSES}
        values: dict[str, Any] = {**_form_of(asked), **choices, "lines": [], "more": "", "refused": None}
        params = [*asked, ("limit", str(ROWS)), *([("cursor", cursor)] if cursor else [])]
        try:
            found = await self.api.get(page, "/v1/usage/requests", params)
        except ApiRefused as exc:
            if exc.status != 400:
                raise
            return TemplatePage(LOG, {**values, "refused": exc}, 400, scripted=True)
        more = f"{PATH}?{urlencode([*asked, ('cursor', found['next_cursor'])])}" if found["has_more"] else ""
        return TemplatePage(LOG, {**values, "lines": found["data"], "more": more}, scripted=True)

    async def explain(self, page: PageContext) -> PageAnswer:
        """Show route, attempts, limits, price and tokens of one request."""
        found = await self.api.get(page, f"/v1/requests/{page.path_part('request_id')}")
        return TemplatePage("request.html", {"request": found})


def _form_of(asked: Params) -> dict[str, Any]:
    """Return what the form says in its fields, and what it carries along: what has none, and further values."""
    fields: dict[str, str] = {}
    carried: list[tuple[str, str]] = []
    for name, value in asked:
        if name in FIELDS and name not in fields:
            fields[name] = value
        else:
            carried.append((name, value))
    return {"asked": fields, "carried": carried, "everything": f"{PATH}?{urlencode(when_of(asked))}"}
