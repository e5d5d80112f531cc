"""/console/admin/people: who is there, on which tier, shut or open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from services.gateway.console.admin.capped import PEOPLE_LIST, USERS, accounts_like
from services.gateway.console.admin.orders import Giver, Order
from services.gateway.console.forms.faults import PASSWORD, Fault
from services.gateway.console.forms.proof import ask_proof
from services.gateway.console.forms.shown import form_page
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import PageAnswer, Redirect
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext, part_of_path
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

NOBODY: Final = {"data": [], "has_more": False}
TIERS: Final = ("free", "pro", "enterprise")


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Accounts of others."""

    shared: PageDependencies
    api: OwnApi

    def all(self) -> list[Endpoint]:
        """Return the page."""
        return member_pages(self.shared, [(PEOPLE_LIST, self.show, self.change)])

    async def show(self, page: PageContext) -> PageAnswer:
        """Show a page of accounts, the newest first."""
        return await self._shown(page, first(page.query, "search").strip(), first(page.query, "cursor"))

    async def _shown(self, page: PageContext, search: str, cursor: str = "", fault: Fault | None = None) -> PageAnswer:
        try:
            found = await self.api.get(page, USERS, [("search", search), ("cursor", cursor)])
        except ApiRefused as exc:
            if exc.status != 400:
                raise
            found, fault = NOBODY, Fault("", "admin.fault_search", exc.message, exc.status)
        more = _address(search, found["next_cursor"]) if found["has_more"] else ""
        values = {"people": found["data"], "search": search, "cursor": cursor, "more": more, "tiers": TIERS}
        return form_page("admin/people.html", {**values, "own_id": page.known_caller.user_id}, fault)

    async def change(self, page: PageContext) -> PageAnswer:
        """Shut an account, open it, or give it a tier."""
        user = f"{USERS}/{part_of_path(first(page.form, 'user_id'))}"
        orders = {
            "disable": Order("POST", f"{user}/disable"),
            "enable": Order("POST", f"{user}/enable"),
            "tier": Order("PATCH", user, {"tier": first(page.form, "tier")}),
        }
        search, cursor = first(page.form, "search"), first(page.form, "cursor")
        fault = await Giver(self.api, self.shared.accounts).give(page, orders)
        if fault is None:
            return Redirect(_address(search, cursor))
        if fault.field == PASSWORD:
            return await self._unproven(page, fault, _address(search, cursor))
        return await self._shown(page, search, cursor, fault)

    async def _unproven(self, page: PageContext, fault: Fault, back: str) -> PageAnswer:
        id, order, tier = (first(page.form, name) for name in ("user_id", "order", "tier"))
        found = [each["email"] for each in await accounts_like(self.api, page, id) if each["id"] == id]
        name = "".join(found) or id
        return ask_proof(page, fault, f"admin.prove_{order}", f"{name} → {tier}" if order == "tier" else name, back)


def _address(search: str, cursor: str = "") -> str:
    asked = [(name, value) for name, value in (("search", search), ("cursor", cursor)) if value]
    return f"{PEOPLE_LIST}?{urlencode(asked)}" if asked else PEOPLE_LIST
