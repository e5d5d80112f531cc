"""Forms of budgets that administrators set: new, changed, removed. Their owners cannot change them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from services.gateway.console.admin.capped import Capped
from services.gateway.console.budgets import orders
from services.gateway.console.forms.confirming import confirm
from services.gateway.console.forms.draft import Draft
from services.gateway.console.forms.faults import Fault, FormRefused, fault_of
from services.gateway.console.forms.proof import prove
from services.gateway.console.forms.shown import form_page, one_of
from services.gateway.edge.endpoint import Endpoint
from services.gateway.pages.answers import PageAnswer, Redirect, TemplatePage
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

API: Final = "/v1/admin/budgets"
# "elsewhere": of a key or an application that is somebody else's.
DONE: Final = ("set", "elsewhere", "changed", "removed")


@dataclass(frozen=True, slots=True)
class CapPages:
    """Budgets of whoever `whose` finds; `route` is that of their page, below which these are."""

    shared: PageDependencies
    api: OwnApi
    route: str
    whose: Callable[[OwnApi, PageContext], Awaitable[Capped]]

    def all(self) -> list[Endpoint]:
        """Return the pages."""
        one = f"{self.route}/budgets/{{budget_id}}"
        pages = (
            (f"{self.route}/budgets/new", self.ask, self.create),
            (one, self.ask_change, self.change),
            (f"{one}/delete", self.ask_removal, self.remove),
        )
        return member_pages(self.shared, pages)

    async def ask(self, page: PageContext) -> PageAnswer:
        """Show the form for a new one."""
        whose = await self.whose(self.api, page)
        return _new(whose, whose.blank())

    async def create(self, page: PageContext) -> PageAnswer:
        """Set one."""
        draft, whose = Draft(page.form), await self.whose(self.api, page)
        try:
            await prove(page, self.shared.accounts)
            made = await self.api.send(page, "POST", API, whose.order(draft))
        except (ApiRefused, FormRefused) as exc:
            return _new(whose, draft, orders.budget_fault(exc, whose.fields))
        is_theirs = any(each["id"] == made["id"] for each in await caps_of(self.api, page, whose))
        return Redirect(f"{whose.path}?done={'set' if is_theirs else 'elsewhere'}")

    async def _budget(self, page: PageContext, whose: Capped) -> Any:
        """Return the budget of the page, if it is set on its own at this place.

        Raises:
            NotFound: it is not.
        """
        found = [each for each in await caps_of(self.api, page, whose) if each["is_set_here"]]
        return one_of(found, page.path_value("budget_id"), "budget")

    async def ask_change(self, page: PageContext) -> PageAnswer:
        """Show what one is now, to change it."""
        whose = await self.whose(self.api, page)
        budget = await self._budget(page, whose)
        return _changed(whose, budget, orders.draft_of_budget(budget))

    async def change(self, page: PageContext) -> PageAnswer:
        """Change limit or mode."""
        draft, whose = Draft(page.form), await self.whose(self.api, page)
        budget = await self._budget(page, whose)
        try:
            await prove(page, self.shared.accounts)
            await self.api.send(page, "PATCH", _api(page), orders.change_of(draft, budget["measure"]))
        except (ApiRefused, FormRefused) as exc:
            return _changed(whose, budget, draft, orders.budget_fault(exc, whose.fields))
        return Redirect(f"{whose.path}?done=changed")

    async def ask_removal(self, page: PageContext) -> PageAnswer:
        """Ask whether one is to go."""
        whose = await self.whose(self.api, page)
        await self._budget(page, whose)
        return confirm(page, "budgets.delete", whose.name, whose.path)

    async def remove(self, page: PageContext) -> PageAnswer:
        """Remove one."""
        whose = await self.whose(self.api, page)
        await self._budget(page, whose)
        try:
            await prove(page, self.shared.accounts)
            await self.api.send(page, "DELETE", _api(page))
        except (ApiRefused, FormRefused) as exc:
            return confirm(page, "budgets.delete", whose.name, whose.path, fault_of(exc, "budgets", ()))
        return Redirect(f"{whose.path}?done=removed")


async def caps_of(api: OwnApi, page: PageContext, whose: Capped) -> list[dict[str, Any]]:
    """Return what caps them and how it stands.

    `is_set_here`: it can be changed at their page; what came with a key or the tier, and what a person's organization
    has, cannot.
    """
    found = (await api.get(page, API, whose.asked))["data"]
    owners = ("organization",) if whose.owner == "organization" else ("user", "key", "app")
    return [{**each, "is_set_here": each["source"] == "set" and each["owner"] in owners} for each in found]


def _new(whose: Capped, draft: Draft, fault: Fault | None = None) -> TemplatePage:
    return form_page(whose.template, {"draft": draft, **whose.choices, **_place(whose)}, fault)


def _changed(whose: Capped, budget: Any, draft: Draft, fault: Fault | None = None) -> TemplatePage:
    named = {**budget, "name": whose.name if budget["owner"] == whose.owner else budget["owner_id"]}
    values = {"budget": named, "draft": draft, "modes": orders.MODES, **_place(whose)}
    return form_page("budgets/change.html", values, fault)


def _place(whose: Capped) -> dict[str, Any]:
    return {"section_path": whose.section, "back": whose.path, "whose": whose}


def _api(page: PageContext) -> str:
    """Return where the API has the budget that the page is about."""
    return f"{API}/{page.path_part('budget_id')}"
