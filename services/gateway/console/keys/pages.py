"""The pages of keys."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from servicekit.clock import Clock
from services.gateway.console.forms.confirming import confirm
from services.gateway.console.forms.draft import Draft
from services.gateway.console.forms.faults import Fault, FormRefused, fault_of
from services.gateway.console.forms.once import ShownOnce
from services.gateway.console.forms.proof import prove
from services.gateway.console.forms.shown import done_of, form_page
from services.gateway.console.forms.values import OVERLAPS, count_in, offered_with
from services.gateway.console.keys import orders
from services.gateway.console.keys.listing import rows_of, state_of
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import PageAnswer, Redirect, TemplatePage
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

PATH: Final = f"{CONSOLE}/keys"
ONE: Final = f"{PATH}/{{key_id}}"
API: Final = "/v1/keys"
ROWS: Final = 50
DONE: Final = ("changed", "revoked", "named")


@dataclass(frozen=True, slots=True)
class KeyPages:
    """Keys: the list, a new one, and what can be done with one."""

    shared: PageDependencies
    api: OwnApi
    clock: Clock

    def all(self) -> list[Endpoint]:
        """Return the pages; those with a name of their own before those of a key."""
        pages = (
            (PATH, self.show, None),
            (f"{PATH}/new", self.ask, self.create),
            (f"{PATH}/made", self._once.show, None),
            (ONE, self.ask_change, self.change),
            (f"{ONE}/rotate", self.ask_rotation, self.rotate),
            (f"{ONE}/revoke", self.ask_revocation, self.revoke),
        )
        return member_pages(self.shared, pages)

    @property
    def _once(self) -> ShownOnce:
        return ShownOnce(self.clock, "keys", PATH, self.shared.orders_kept_s)

    async def show(self, page: PageContext) -> PageAnswer:
        """List the keys, page by page, with what caps each."""
        cursor = first(page.query, "page")
        params = [("limit", str(ROWS)), *([("page", cursor)] if cursor else [])]
        found, budgets = await asyncio.gather(self.api.get(page, API, params), self.api.list_if_up(page, "/v1/budgets"))
        rows = rows_of(found["data"], budgets, self.clock.now())
        following = found["next_page"]
        values = {
            "live": [row for row in rows if row["state"] in ("live", "disabled")],
            "ended": [row for row in rows if row["state"] in ("revoked", "expired")],
            "more": f"{PATH}?{urlencode({'page': following})}" if following else "",
            "first_page": not cursor,
            "done": done_of(page, "keys", DONE),
        }
        return TemplatePage("keys/list.html", values)

    async def ask(self, page: PageContext) -> PageAnswer:
        """Show the form for a new key."""
        return await self._form(page, orders.blank())

    async def _form(self, page: PageContext, draft: Draft, fault: Fault | None = None, key: Any = None) -> TemplatePage:
        known = [model["id"] for model in await self.api.list_if_up(page, "/v1/models")]
        values = {
            "draft": draft,
            "key": key,
            "models": offered_with(known, (*(key["models"] if key else ()), *draft.every("models"))),
            "scopes": offered_with(orders.SCOPES, key["scopes"] if key else ()),
            "periods": orders.PERIODS,
            "caches": orders.CACHES,
        }
        return form_page("keys/form.html", values, fault)

    async def create(self, page: PageContext) -> PageAnswer:
        """Make a key, and show it on a page of its own."""
        draft = Draft(page.form)
        try:
            await prove(page, self.shared.accounts)
            made = await self.api.send(page, "POST", API, orders.new_key(draft, _zone(page)))
        except (ApiRefused, FormRefused) as exc:
            return await self._form(page, draft, fault_of(exc, "keys", orders.FIELDS))
        self._once.keep(page, made["key"], made["name"])
        return Redirect(f"{PATH}/made")

    async def _key(self, page: PageContext) -> Any:
        return await self.api.get(page, _api(page))

    async def ask_change(self, page: PageContext) -> PageAnswer:
        """Show what a key is now, to change it."""
        key = await self._key(page)
        key["state"] = state_of(key, self.clock.now())
        return await self._form(page, orders.draft_of_key(key, _zone(page)), key=key)

    async def change(self, page: PageContext) -> PageAnswer:
        """Change what the form says otherwise."""
        draft, key = Draft(page.form), await self._key(page)
        key["state"] = state_of(key, self.clock.now())
        try:
            await prove(page, self.shared.accounts)
            wanted = orders.changes_of(draft, orders.draft_of_key(key, _zone(page)), _zone(page))
            if wanted:
                await self.api.send(page, "PATCH", _api(page), wanted)
        except (ApiRefused, FormRefused) as exc:
            return await self._form(page, draft, fault_of(exc, "keys", orders.FIELDS), key)
        return Redirect(f"{PATH}?done=changed")

    async def ask_rotation(self, page: PageContext) -> PageAnswer:
        """Ask how long the old key works beside its successor."""
        return await self._rotation(page, Draft([("overlap_s", "86400")]))

    async def _rotation(self, page: PageContext, draft: Draft, fault: Fault | None = None) -> TemplatePage:
        values = {"key": await self._key(page), "draft": draft, "overlaps": OVERLAPS}
        return form_page("keys/rotate.html", values, fault)

    async def rotate(self, page: PageContext) -> PageAnswer:
        """Make the successor, and show it on a page of its own."""
        draft = Draft(page.form)
        try:
            await prove(page, self.shared.accounts)
            overlap_s = count_in(draft.one("overlap_s"), "overlap_s")
            made = await self.api.send(page, "POST", f"{_api(page)}/rotate", {"overlap_s": overlap_s})
        except (ApiRefused, FormRefused) as exc:
            return await self._rotation(page, draft, fault_of(exc, "keys", orders.FIELDS))
        self._once.keep(page, made["key"], made["name"])
        return Redirect(f"{PATH}/made")

    async def ask_revocation(self, page: PageContext) -> PageAnswer:
        """Ask whether a key is to end."""
        return confirm(page, "keys.revoke", (await self._key(page))["name"], PATH)

    async def revoke(self, page: PageContext) -> PageAnswer:
        """End a key."""
        await self.api.send(page, "DELETE", _api(page))
        return Redirect(f"{PATH}?done=revoked")


def _zone(page: PageContext) -> str:
    return page.known_user.profile.time_zone


def _api(page: PageContext) -> str:
    """Return where the API has the key that the page is about."""
    return f"{API}/{page.path_part('key_id')}"
