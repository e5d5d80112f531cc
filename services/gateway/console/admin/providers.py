"""/console/admin/providers: circuits and drains, and what they were lately."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from services.gateway.console.admin.orders import Giver, Order
from services.gateway.console.forms.draft import Draft
from services.gateway.console.forms.faults import Fault
from services.gateway.console.forms.shown import form_page
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import PageAnswer, Redirect
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.own_api import OwnApi
from services.gateway.pages.page_context import PageContext, part_of_path
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

PATH: Final = f"{CONSOLE}/admin/providers"
PROVIDERS: Final = "/v1/admin/providers"
MOST_PAST: Final = "30"
FIELDS: Final = ("provider", "model", "reason")


@dataclass(frozen=True, slots=True)
class ProvidersPage:
    """The providers as those who run the suite see them."""

    shared: PageDependencies
    api: OwnApi

    def all(self) -> list[Endpoint]:
        """Return the page."""
        return member_pages(self.shared, [(PATH, self.show, self.change)])

    async def show(self, page: PageContext) -> PageAnswer:
        """Show every circuit and drain, and the last changes."""
        return await self._shown(page, Draft([]))

    async def _shown(self, page: PageContext, draft: Draft, fault: Fault | None = None) -> PageAnswer:
        circuits, past, providers = await asyncio.gather(
            self.api.get(page, f"{PROVIDERS}/circuits"),
            self.api.get_if_up(page, f"{PROVIDERS}/history", [("limit", MOST_PAST)]),
            self.api.list_if_up(page, "/v1/providers/status"),
        )
        names = sorted({provider["provider"] for provider in providers})
        values = {"circuits": circuits["data"], "drains": circuits["drains"], "past": past, "providers": names}
        return form_page("admin/providers.html", {**values, "draft": draft}, fault)

    async def change(self, page: PageContext) -> PageAnswer:
        """Drain, take a drain back, or close circuits."""
        provider = f"{PROVIDERS}/{part_of_path(first(page.form, 'provider'))}"
        scope: dict[str, Any] = {name: first(page.form, name) for name in ("credential", "model")}
        orders = {
            "drain": Order("POST", f"{provider}/drain", {**scope, "reason": first(page.form, "reason")}),
            "undrain": Order("POST", f"{provider}/undrain", scope),
            "reset": Order("POST", f"{provider}/reset", scope),
        }
        fault = await Giver(self.api, self.shared.accounts, FIELDS).give(page, orders)
        return Redirect(PATH) if fault is None else await self._shown(page, Draft(page.form), fault)
