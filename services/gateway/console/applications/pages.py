"""The pages of applications."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from servicekit.clock import Clock
from services.gateway.console.applications import orders
from services.gateway.console.forms.confirming import confirm
from services.gateway.console.forms.draft import Draft, draft_of
from services.gateway.console.forms.faults import Fault, FormRefused, fault_of
from services.gateway.console.forms.once import ShownOnce
from services.gateway.console.forms.proof import prove
from services.gateway.console.forms.shown import done_of, form_page, one_of
from services.gateway.console.forms.values import OVERLAPS, count_in, offered_with
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import PageAnswer, Redirect, TemplatePage
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext, part_of_path
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

PATH: Final = f"{CONSOLE}/applications"
ONE: Final = f"{PATH}/{{client_id}}"
API: Final = "/v1/clients"
DONE: Final = ("made", "changed", "deleted", "ended")


@dataclass(frozen=True, slots=True)
class ApplicationPages:
    """Applications: let in, registered, changed, ended."""

    shared: PageDependencies
    api: OwnApi
    clock: Clock

    def all(self) -> list[Endpoint]:
        """Return the pages; those with a name of their own before those of an application."""
        pages = (
            (PATH, self.show, self.end_grant),
            (f"{PATH}/new", self.ask, self.create),
            (f"{PATH}/made", self._once.show, None),
            (ONE, self.ask_change, self.change),
            (f"{ONE}/rotate", self.ask_secret, self.rotate),
            (f"{ONE}/delete", self.ask_end, self.end),
        )
        return member_pages(self.shared, pages)

    @property
    def _once(self) -> ShownOnce:
        return ShownOnce(self.clock, "clients", PATH, self.shared.orders_kept_s)

    async def show(self, page: PageContext) -> PageAnswer:
        """List what was let in, and what was registered."""
        grants, clients = await asyncio.gather(self.api.get(page, "/v1/grants"), self._clients(page))
        done = done_of(page, "clients", DONE)
        return TemplatePage("applications/list.html", {"grants": grants["data"], "clients": clients, "done": done})

    async def _clients(self, page: PageContext) -> list[Any] | None:
        """Return the person's own; None when their account may have none."""
        try:
            return await self.api.list_if_up(page, API)
        except ApiRefused as exc:
            if exc.status != 403:
                raise
            return None

    async def end_grant(self, page: PageContext) -> PageAnswer:
        """End the access of one with all its tokens."""
        await self.api.send(page, "DELETE", f"/v1/grants/{part_of_path(first(page.form, 'grant_id'))}")
        return Redirect(f"{PATH}?done=ended")

    async def ask(self, page: PageContext) -> PageAnswer:
        """Show the form for a new one."""
        return self._form(orders.blank())

    def _form(self, draft: Draft, fault: Fault | None = None, client: Any = None) -> TemplatePage:
        values = {
            "draft": draft,
            "client": client,
            "scopes": offered_with(orders.SCOPES, client["scopes"] if client else ()),
            "grant_types": orders.GRANT_TYPES,
        }
        return form_page("applications/form.html", values, fault)

    async def create(self, page: PageContext) -> PageAnswer:
        """Register one; the secret of a confidential one is shown on a page of its own."""
        draft = Draft(page.form)
        try:
            await prove(page, self.shared.accounts)
            made = await self.api.send(page, "POST", API, orders.new_client(draft))
        except (ApiRefused, FormRefused) as exc:
            return self._form(draft, fault_of(exc, "clients", orders.FIELDS))
        if not made["client_secret"]:
            return Redirect(f"{PATH}?done=made")
        self._once.keep(page, made["client_secret"], made["client_id"])
        return Redirect(f"{PATH}/made")

    async def _client(self, page: PageContext) -> Any:
        clients = (await self.api.get(page, API))["data"]
        return one_of(clients, page.path_value("client_id"), "application", name="client_id")

    async def ask_change(self, page: PageContext) -> PageAnswer:
        """Show what one is now, to change it."""
        client = await self._client(page)
        return self._form(orders.draft_of_client(client), client=client)

    async def change(self, page: PageContext) -> PageAnswer:
        """Change what the form says otherwise."""
        draft, client = Draft(page.form), await self._client(page)
        try:
            await prove(page, self.shared.accounts)
            wanted = orders.changes_of(draft, orders.draft_of_client(client))
            if wanted:
                await self.api.send(page, "PATCH", _api(page), wanted)
        except (ApiRefused, FormRefused) as exc:
            return self._form(draft, fault_of(exc, "clients", orders.FIELDS), client)
        return Redirect(f"{PATH}?done=changed")

    async def ask_secret(self, page: PageContext) -> PageAnswer:
        """Ask how long the old secret works beside the fresh one."""
        return await self._rotation(page, draft_of(overlap_s="86400"))

    async def _rotation(self, page: PageContext, draft: Draft, fault: Fault | None = None) -> TemplatePage:
        values = {"client": await self._client(page), "draft": draft, "overlaps": OVERLAPS}
        return form_page("applications/rotate.html", values, fault)

    async def rotate(self, page: PageContext) -> PageAnswer:
        """Make a fresh secret, and show it on a page of its own."""
        draft = Draft(page.form)
        try:
            await prove(page, self.shared.accounts)
            order = {"overlap_s": count_in(draft.one("overlap_s"), "overlap_s")}
            made = await self.api.send(page, "POST", f"{_api(page)}/rotate", order)
        except (ApiRefused, FormRefused) as exc:
            return await self._rotation(page, draft, fault_of(exc, "clients", orders.FIELDS))
        self._once.keep(page, made["client_secret"], made["client_id"])
        return Redirect(f"{PATH}/made")

    async def ask_end(self, page: PageContext) -> PageAnswer:
        """Ask whether one is to end."""
        return confirm(page, "clients.delete", (await self._client(page))["name"], PATH)

    async def end(self, page: PageContext) -> PageAnswer:
        """End one with all that it was let in for."""
        await self.api.send(page, "DELETE", _api(page))
        return Redirect(f"{PATH}?done=deleted")


def _api(page: PageContext) -> str:
    """Return where the API has the application that the page is about."""
    return f"{API}/{page.path_part('client_id')}"
