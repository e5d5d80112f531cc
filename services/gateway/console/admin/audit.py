"""/console/admin/audit: what was done by whom, whether the log is whole, and whether the books are right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from servicekit.errors import invalid_parameter
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import PageAnswer, TemplatePage
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

PATH: Final = f"{CONSOLE}/admin/audit"
AUDIT: Final = "/v1/admin/audit"
FILTERS: Final = ("actor", "action", "subject")
# Days of rows whose sums are compared: all of them would take minutes.
LEDGER_DAYS: Final = "7"


@dataclass(frozen=True, slots=True)
class AuditPages:
    """The audit log, and the checks of it and of the books."""

    shared: PageDependencies
    api: OwnApi

    def all(self) -> list[Endpoint]:
        """Return the page."""
        return member_pages(self.shared, [(PATH, self.show, self.check)])

    async def show(self, page: PageContext) -> PageAnswer:
        """Show a page of the log, the newest rows first."""
        return await self._shown(page, {})

    async def check(self, page: PageContext) -> PageAnswer:
        """Walk the chain, or compare the books, and say what was found."""
        match first(page.form, "order"):
            case "chain":
                found = await self.api.check(page, f"{AUDIT}/check")
            case "ledger":
                found = await self.api.get(page, "/v1/usage/ledger/check", [("days", LEDGER_DAYS)])
            case _:
                raise invalid_parameter("order", "There is no such check.")
        return await self._shown(page, {first(page.form, "order"): found})

    async def _shown(self, page: PageContext, checks: dict[str, Any]) -> PageAnswer:
        asked = {name: first(page.query, name).strip() for name in FILTERS}
        params = [*asked.items(), ("before", first(page.query, "before") or "0")]
        values: dict[str, Any] = {"asked": asked, "rows": [], "more": "", "refused": None, "chain": None}
        values |= {"ledger": None, **checks}
        try:
            found = await self.api.get(page, AUDIT, params)
        except ApiRefused as exc:
            if exc.status != 400:
                raise
            return TemplatePage("admin/audit.html", {**values, "refused": exc}, 400)
        values["rows"] = found["data"]
        if found["has_more"]:
            filled = {name: value for name, value in asked.items() if value}
            values["more"] = f"{PATH}?{urlencode({**filled, 'before': found['next_before']})}"
        return TemplatePage("admin/audit.html", values)
