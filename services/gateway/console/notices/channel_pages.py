"""The pages of single channels: made, changed, tested, switched, ended; what went by them, and what goes again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from services.gateway.console.forms.confirming import confirm
from services.gateway.console.forms.draft import Draft, draft_of
from services.gateway.console.forms.faults import Fault, fault_of
from services.gateway.console.forms.once import ShownOnce
from services.gateway.console.forms.shown import done_of, form_page, one_of
from services.gateway.console.makers import with_makers
from services.gateway.console.notices.channels import Kind
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import PageAnswer, Redirect, TemplatePage
from services.gateway.pages.language import TEXTS
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext, part_of_path
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

ROWS: Final = 20
DONE: Final = ("changed", "tested", "redelivered", "confirmed", "switched")


@dataclass(frozen=True, slots=True)
class ChannelPages:
    """Channels of one kind. `once` shows the secrets of those that have one, else it is None."""

    shared: PageDependencies
    api: OwnApi
    kind: Kind
    once: ShownOnce | None

    def all(self) -> list[Endpoint]:
        """Return the pages; those with a name of their own before those of a channel."""
        one = f"{self.kind.path}/{{channel_id}}"
        pages = (
            (f"{self.kind.path}/new", self.ask, self.create),
            *([(f"{self.kind.path}/made", self.once.show, None)] if self.once else []),
            (one, self.show, self.change),
            (f"{one}/test", None, self.test),
            (f"{one}/switch", None, self.switch),
            (f"{one}/confirm", None, self.confirm),
            (f"{one}/redeliver", None, self.redeliver),
            (f"{one}/delete", self.ask_end, self.end),
        )
        return member_pages(self.shared, pages)

    async def ask(self, page: PageContext) -> PageAnswer:
        """Show the form for a new one."""
        return self._form(draft_of(kind="email"))

    def _form(self, draft: Draft, fault: Fault | None = None) -> TemplatePage:
        values = {"draft": draft, "kind": self.kind}
        return form_page(f"{self.kind.room}/new.html", values, fault)

    async def create(self, page: PageContext) -> PageAnswer:
        """Make one; its secret is shown on a page of its own."""
        draft = Draft(page.form)
        order = {name: draft.one(name) for name in self.kind.fields}
        try:
            made = await self.api.send(page, "POST", self.kind.api, order)
        except ApiRefused as exc:
            return self._form(draft, fault_of(exc, self.kind.room, self.kind.fields))
        if self.once:
            self.once.keep(page, made["secret"], made["url"])
            return Redirect(f"{self.kind.path}/made")
        return Redirect(f"{self.kind.path}/{part_of_path(made['id'])}")

    async def show(self, page: PageContext) -> PageAnswer:
        """Show one with what went by it."""
        channel = await self._channel(page)
        return await self._shown(page, channel, draft_of(name=channel["name"], url=channel.get("url") or ""))

    async def _shown(self, page: PageContext, channel: Any, draft: Draft, fault: Fault | None = None) -> TemplatePage:
        cursor = first(page.query, "page")
        params = [("limit", str(ROWS)), *([("page", cursor)] if cursor else [])]
        found = await self.api.get_if_up(page, f"{self._api(page)}/deliveries", params)
        following = (found or {}).get("next_page")
        [channel] = await with_makers(page, self.api, [channel])
        here = self._here(page)
        values = {
            "channel": channel,
            "deliveries": found and found["data"],
            "more": f"{here}?{urlencode({'page': following})}" if following else "",
            "draft": draft,
            "kind": self.kind,
            "here_path": here,
            "done": done_of(page, "notices", DONE),
        }
        return form_page(f"{self.kind.room}/one.html", values, fault)

    async def change(self, page: PageContext) -> PageAnswer:
        """Change name and address."""
        draft, channel = Draft(page.form), await self._channel(page)
        said = {name: draft.one(name) for name in ("name", "url") if name in channel}
        return await self._try(page, channel, draft, ("PATCH", "", said), "changed")

    async def switch(self, page: PageContext) -> PageAnswer:
        """Switch one on or off."""
        draft, channel = Draft(page.form), await self._channel(page)
        said = {"enabled": draft.one("enabled") == "on"}
        return await self._try(page, channel, draft, ("PATCH", "", said), "switched")

    async def confirm(self, page: PageContext) -> PageAnswer:
        """Tell the code that a chat was sent."""
        draft, channel = Draft(page.form), await self._channel(page)
        return await self._try(page, channel, draft, ("POST", "/confirm", {"code": draft.one("code")}), "confirmed")

    async def test(self, page: PageContext) -> PageAnswer:
        """Send a test on its way."""
        draft, channel = Draft(page.form), await self._channel(page)
        return await self._try(page, channel, draft, ("POST", "/test", None), "tested")

    async def redeliver(self, page: PageContext) -> PageAnswer:
        """Send something on its way again."""
        draft, channel = Draft(page.form), await self._channel(page)
        again = f"/deliveries/{part_of_path(draft.one('delivery_id'))}/redeliver"
        return await self._try(page, channel, draft, ("POST", again, None), "redelivered")

    async def _try(
        self, page: PageContext, channel: Any, draft: Draft, asked: tuple[str, str, Any], done: str
    ) -> PageAnswer:
        method, path, body = asked
        try:
            await self.api.send(page, method, self._api(page) + path, body)
        except ApiRefused as exc:
            now = Draft([*draft.pairs, ("name", channel["name"]), ("url", channel.get("url") or "")])
            return await self._shown(page, channel, now, fault_of(exc, self.kind.room, ("name", "url", "code")))
        return Redirect(f"{self._here(page)}?done={done}")

    async def ask_end(self, page: PageContext) -> PageAnswer:
        """Ask whether one is to end."""
        channel = await self._channel(page)
        name = channel.get("url") or channel["name"] or TEXTS[page.language][f"channels.{channel['kind']}"]
        return confirm(page, f"{self.kind.room}.delete", name, self.kind.back)

    async def end(self, page: PageContext) -> PageAnswer:
        """Forget one with its history."""
        await self.api.send(page, "DELETE", self._api(page))
        return Redirect(f"{self.kind.back}?done=deleted")

    async def _channel(self, page: PageContext) -> Any:
        channels = (await self.api.get(page, self.kind.api))["data"]
        return one_of(channels, page.path_value("channel_id"), "channel")

    def _api(self, page: PageContext) -> str:
        return f"{self.kind.api}/{page.path_part('channel_id')}"

    def _here(self, page: PageContext) -> str:
        return f"{self.kind.path}/{page.path_part('channel_id')}"
