"""/console/admin/organizations: accounts that are capped together; made, ended, joined and left, with their budgets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from servicekit.errors import invalid_parameter
from services.gateway.console.admin.capped import (
    ORGANIZATION_LIST,
    ORGANIZATION_ROUTE,
    ORGANIZATIONS,
    Capped,
    accounts_like,
    organization_of,
)
from services.gateway.console.admin.caps import DONE as CAPS_DONE
from services.gateway.console.admin.caps import CapPages, caps_of
from services.gateway.console.forms.confirming import confirm
from services.gateway.console.forms.draft import Draft, draft_of
from services.gateway.console.forms.faults import PASSWORD, Fault, FormRefused, fault_of
from services.gateway.console.forms.proof import ask_proof, prove
from services.gateway.console.forms.shown import done_of, form_page
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import PageAnswer, Redirect, TemplatePage
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext, part_of_path
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

FIELDS: Final = ("name", "time_zone")
ROOM: Final = "organizations"
DONE: Final = ("made", "ended", "joined", "left")
ZONE: Final = "Europe/Moscow"
# As many members have their addresses beside their ids: each is a question of its own.
MOST_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class OrganizationPages:
    """The organizations, and one of them with its members and budgets."""

    shared: PageDependencies
    api: OwnApi

    def all(self) -> list[Endpoint]:
        """Return the pages."""
        pages = (
            (ORGANIZATION_LIST, self.show_all, self.create),
            (ORGANIZATION_ROUTE, self.show, self.change),
            (f"{ORGANIZATION_ROUTE}/delete", self.ask_end, self.end),
        )
        budgets = CapPages(self.shared, self.api, ORGANIZATION_ROUTE, organization_of)
        return [*member_pages(self.shared, pages), *budgets.all()]

    async def show_all(self, page: PageContext) -> PageAnswer:
        """List the organizations, with the form for a new one."""
        return await self._all(page, draft_of(time_zone=ZONE))

    async def _all(self, page: PageContext, draft: Draft, fault: Fault | None = None) -> TemplatePage:
        found = await self.api.get(page, ORGANIZATIONS, [("cursor", first(page.query, "cursor"))])
        values = {"organizations": found["data"], "draft": draft, "done": done_of(page, ROOM, DONE)}
        values["more"] = (
            f"{ORGANIZATION_LIST}?{urlencode({'cursor': found['next_cursor']})}" if found["has_more"] else ""
        )
        return form_page("admin/organizations.html", values, fault)

    async def create(self, page: PageContext) -> PageAnswer:
        """Make one, and go to its page."""
        draft = Draft(page.form)
        try:
            made = await self.api.send(page, "POST", ORGANIZATIONS, {name: draft.one(name) for name in FIELDS})
        except ApiRefused as exc:
            return await self._all(page, draft, fault_of(exc, ROOM, FIELDS))
        return Redirect(f"{ORGANIZATION_LIST}/{part_of_path(made['id'])}?done=made")

    async def show(self, page: PageContext) -> PageAnswer:
        """Show one: its budgets and how they stand, its members."""
        return await self._one(page, Draft([]))

    async def _one(self, page: PageContext, draft: Draft, fault: Fault | None = None) -> TemplatePage:
        whose = await organization_of(self.api, page)
        budgets, members = await asyncio.gather(caps_of(self.api, page, whose), self._members(page, whose))
        done = done_of(page, ROOM, DONE) or done_of(page, "budgets", CAPS_DONE)
        values = {"organization": whose.told, "at": whose.path, "budgets": budgets, "members": members, "done": done}
        return form_page("admin/organization.html", {**values, "draft": draft}, fault)

    async def _members(self, page: PageContext, whose: Capped) -> list[tuple[str, str]]:
        """Return the members' ids, and the addresses of the first of them; "" where it is not known."""
        ids = whose.told["members"]
        found = await asyncio.gather(*(accounts_like(self.api, page, id) for id in ids[:MOST_NAMED]))
        addresses = {each["id"]: each["email"] for accounts in found for each in accounts}
        return [(id, addresses.get(id, "")) for id in ids]

    async def change(self, page: PageContext) -> PageAnswer:
        """Let somebody belong to it, or no more.

        Raises:
            InvalidRequest: no button of the page gives this order.
        """
        draft, whose = Draft(page.form), await organization_of(self.api, page)
        is_member = {"add": True, "remove": False}.get(draft.one("order"))
        if is_member is None:
            raise invalid_parameter("order", "There is no such order.")
        try:
            user_id = await self._account(page, draft) if is_member else draft.one("user_id")
            method = "PUT" if is_member else "DELETE"
            await prove(page, self.shared.accounts)
            await self.api.send(page, method, f"{_api(whose)}/members/{part_of_path(user_id)}")
        except (ApiRefused, FormRefused) as exc:
            return await self._refused(page, whose, _member_fault(exc))
        return Redirect(f"{whose.path}?done={'joined' if is_member else 'left'}")

    async def _refused(self, page: PageContext, whose: Capped, fault: Fault) -> TemplatePage:
        draft = Draft(page.form)
        if fault.field != PASSWORD:
            return await self._one(page, draft, fault)
        who = draft.one("member") or draft.one("user_id")
        return ask_proof(page, fault, f"{ROOM}.prove_{draft.one('order')}", f"{who} · {whose.name}", whose.path)

    async def _account(self, page: PageContext, draft: Draft) -> str:
        """Return the id of the account that was typed: by its address, or its id.

        Raises:
            FormRefused: there is none.
        """
        typed = draft.one("member")
        found: list[Any] = await accounts_like(self.api, page, typed) if typed else []
        for account in found:
            if typed == account["id"] or typed.casefold() == account["email"].casefold():
                return str(account["id"])
        raise FormRefused("member", "organizations.fault_member")

    async def ask_end(self, page: PageContext) -> PageAnswer:
        """Ask whether it is to end."""
        whose = await organization_of(self.api, page)
        return confirm(page, "organizations.end", whose.name, whose.path)

    async def end(self, page: PageContext) -> PageAnswer:
        """End it."""
        whose = await organization_of(self.api, page)
        try:
            await prove(page, self.shared.accounts)
            await self.api.send(page, "DELETE", _api(whose))
        except (ApiRefused, FormRefused) as exc:
            return confirm(page, "organizations.end", whose.name, whose.path, fault_of(exc, ROOM, ()))
        return Redirect(f"{ORGANIZATION_LIST}?done=ended")


def _member_fault(refused: ApiRefused | FormRefused) -> Fault:
    """Return what is wrong with who was typed.

    Raises:
        ApiRefused: not that.
    """
    if isinstance(refused, ApiRefused) and refused.status == 409:
        return Fault("member", "organizations.fault_elsewhere", status=refused.status)
    return fault_of(refused, ROOM, ("member",))


def _api(whose: Capped) -> str:
    """Return where the API has an organization."""
    return f"{ORGANIZATIONS}/{part_of_path(whose.id)}"
