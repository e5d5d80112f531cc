"""The pages of budgets and quotas."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from services.gateway.console.budgets import orders
from services.gateway.console.budgets.owners import owners_of
from services.gateway.console.forms.confirming import confirm
from services.gateway.console.forms.draft import Draft
from services.gateway.console.forms.faults import Fault, FormRefused, fault_of
from services.gateway.console.forms.proof import prove
from services.gateway.console.forms.shown import done_of, form_page, one_of
from services.gateway.edge.endpoint import Endpoint
from services.gateway.pages.answers import PageAnswer, Redirect, TemplatePage
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

PATH: Final = f"{CONSOLE}/budgets"
ONE: Final = f"{PATH}/{{budget_id}}"
API: Final = "/v1/budgets"
DONE: Final = ("set", "changed", "removed")
# The section of the menu, and where "back" leads.
_PLACE: Final = {"section_path": PATH, "back": PATH}


@dataclass(frozen=True, slots=True)
class BudgetPages:
    """Budgets and quotas: how they stand; set, changed, removed."""

    shared: PageDependencies
    api: OwnApi

    def all(self) -> list[Endpoint]:
        """Return the pages."""
        pages = (
            (PATH, self.show, None),
            (f"{PATH}/new", self.ask, self.create),
            (ONE, self.ask_change, self.change),
            (f"{ONE}/delete", self.ask_removal, self.remove),
        )
        return member_pages(self.shared, pages)

    async def show(self, page: PageContext) -> PageAnswer:
        """Show everything that caps the account, and when at the present pace a limit is reached."""
        found, forecast, owners = await asyncio.gather(
            self.api.get(page, API),
            self.api.get_if_up(page, "/v1/usage/forecast", (("lang", page.language),)),
            owners_of(page, self.api),
        )
        budgets = [{**each, "name": owners.name(each["owner"], each["owner_id"])} for each in found["data"]]
        values = {
            "budgets": budgets,
            "limit_eta": (forecast or {}).get("limit_eta"),
            "done": done_of(page, "budgets", DONE),
        }
        return TemplatePage("budgets/list.html", values)

    async def ask(self, page: PageContext) -> PageAnswer:
        """Show the form for a new one."""
        return await self._new(page, orders.blank())

    async def _new(self, page: PageContext, draft: Draft, fault: Fault | None = None) -> TemplatePage:
        owners = await owners_of(page, self.api)
        values = {
            "draft": draft,
            "keys": owners.keys,
            "apps": owners.apps,
            "looked_through": owners.looked_through,
            **orders.CHOICES,
            **_PLACE,
        }
        return form_page("budgets/new.html", values, fault)

    async def create(self, page: PageContext) -> PageAnswer:
        """Set one."""
        draft = Draft(page.form)
        try:
            await prove(page, self.shared.accounts)
            await self.api.send(page, "POST", API, orders.new_budget(draft))
        except (ApiRefused, FormRefused) as exc:
            return await self._new(page, draft, orders.budget_fault(exc))
        return Redirect(f"{PATH}?done=set")

    async def _budget(self, page: PageContext) -> Any:
        found = (await self.api.get(page, API))["data"]
        mine = [each for each in found if each["source"] == "set"]
        budget = one_of(mine, page.path_value("budget_id"), "budget")
        owners = await owners_of(page, self.api)
        return {**budget, "name": owners.name(budget["owner"], budget["owner_id"])}

    async def ask_change(self, page: PageContext) -> PageAnswer:
        """Show what one is now, to change it."""
        budget = await self._budget(page)
        return self._change_form(budget, orders.draft_of_budget(budget))

    def _change_form(self, budget: Any, draft: Draft, fault: Fault | None = None) -> TemplatePage:
        values = {"budget": budget, "draft": draft, "modes": orders.MODES, **_PLACE}
        return form_page("budgets/change.html", values, fault)

    async def change(self, page: PageContext) -> PageAnswer:
        """Change limit or mode."""
        draft, budget = Draft(page.form), await self._budget(page)
        try:
            await prove(page, self.shared.accounts)
            await self.api.send(page, "PATCH", _api(page), orders.change_of(draft, budget["measure"]))
        except (ApiRefused, FormRefused) as exc:
            return self._change_form(budget, draft, orders.budget_fault(exc))
        return Redirect(f"{PATH}?done=changed")

    async def ask_removal(self, page: PageContext) -> PageAnswer:
        """Ask whether one is to go."""
        return confirm(page, "budgets.delete", (await self._budget(page))["name"], PATH)

    async def remove(self, page: PageContext) -> PageAnswer:
        """Remove one."""
        try:
            await prove(page, self.shared.accounts)
            await self.api.send(page, "DELETE", _api(page))
        except (ApiRefused, FormRefused) as exc:
            fault = fault_of(exc, "budgets", ())
            return confirm(page, "budgets.delete", "", PATH, fault)
        return Redirect(f"{PATH}?done=removed")


def _api(page: PageContext) -> str:
    """Return where the API has the budget that the page is about."""
    return f"{API}/{page.path_part('budget_id')}"
