"""/console/webhooks: the list, and fresh secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from services.gateway.console.forms.draft import Draft, draft_of
from services.gateway.console.forms.faults import Fault, FormRefused, fault_of
from services.gateway.console.forms.once import ShownOnce
from services.gateway.console.forms.shown import done_of, form_page
from services.gateway.console.forms.values import count_in
from services.gateway.console.makers import with_makers
from services.gateway.console.notices.channels import HOOKS, WEBHOOKS
from services.gateway.edge.endpoint import Endpoint
from services.gateway.pages.answers import PageAnswer, Redirect, TemplatePage
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

OVERLAPS: Final = (0, 3600, 86_400, 604_800)


@dataclass(frozen=True, slots=True)
class WebhookPages:
    """What there is beside the pages of single channels."""

    shared: PageDependencies
    api: OwnApi
    once: ShownOnce

    def all(self) -> list[Endpoint]:
        """Return the pages."""
        pages = ((WEBHOOKS, self.show, None), (f"{WEBHOOKS}/{{channel_id}}/rotate", self.ask_secret, self.rotate))
        return member_pages(self.shared, pages)

    async def show(self, page: PageContext) -> PageAnswer:
        """List the webhooks."""
        found = await self.api.get(page, HOOKS.api)
        done = done_of(page, "webhooks", ("deleted",))
        webhooks = await with_makers(page, self.api, found["data"])
        return TemplatePage("webhooks/list.html", {"webhooks": webhooks, "done": done})

    async def ask_secret(self, page: PageContext) -> PageAnswer:
        """Ask how long the old secret signs beside the fresh one."""
        return await self._rotation(page, draft_of(overlap_s="86400"))

    async def _rotation(self, page: PageContext, draft: Draft, fault: Fault | None = None) -> TemplatePage:
        values: dict[str, Any] = {"draft": draft, "overlaps": OVERLAPS}
        return form_page("webhooks/rotate.html", values, fault)

    async def rotate(self, page: PageContext) -> PageAnswer:
        """Make a fresh secret, and show it on a page of its own."""
        draft = Draft(page.form)
        path = f"{HOOKS.api}/{page.path_part('channel_id')}/rotate"
        try:
            order = {"overlap_s": count_in(draft.one("overlap_s"), "overlap_s")}
            made = await self.api.send(page, "POST", path, order)
        except (ApiRefused, FormRefused) as exc:
            return await self._rotation(page, draft, fault_of(exc, "webhooks", ("overlap_s",)))
        self.once.keep(page, made["secret"], made["url"])
        return Redirect(f"{WEBHOOKS}/made")
