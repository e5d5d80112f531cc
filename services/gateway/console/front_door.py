"""/: what this is, whether it works now, and the ways in. Programs get the same as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from servicekit.errors import ErrorReason, NotFound
from services.gateway.console.breaking.page import PATH as BREAK
from services.gateway.console.demo import DemoAccount, DemoFile, is_local
from services.gateway.console.playground.page import PATH as PLAYGROUND
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.origin import header
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import Download, PageAnswer, Redirect, TemplatePage
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, page_endpoint, recognise

PATH: Final = "/"
DEMO_PATH: Final = "/demo"
# Where the demo user may begin, by the button.
DEMO_WAYS: Final = {"playground": PLAYGROUND, "break": BREAK}
# What a program that asks for the root wants to know.
PLACES: Final = {"api": "/v1", "models": "/v1/models", "health": "/health/ready", "providers": "/health/providers"}


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """The first page. `may_break`: there is one to break something."""

    shared: PageDependencies
    api: OwnApi
    demo: DemoFile
    may_break: bool

    def all(self) -> list[Endpoint]:
        """Return the page, and the way in as the demo account."""
        return [
            page_endpoint(PATH, self.shared, self.show),
            page_endpoint(DEMO_PATH, self.shared, None, self.enter_as_demo),
        ]

    async def show(self, page: PageContext) -> PageAnswer:
        """Show the page, or tell a program where things are."""
        if "text/html" not in header(page.scope, b"accept"):
            return Download(b"application/json", json.dumps({"name": "Razvilka", **PLACES}).encode())
        await recognise(page, self.shared.accounts)
        values = {
            "providers": await self._providers(page),
            "demo": self._demo(page),
            "shows_docs": page.shows_docs,
            "may_break": self.may_break,
            "url": page.public_url,
        }
        return TemplatePage("front_door.html", values)

    def _demo(self, page: PageContext) -> DemoAccount | None:
        return self.demo.account(page.origin) if is_local(page) else None

    async def _providers(self, page: PageContext) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = (await self.api.get(page, "/health/providers"))["providers"]
        except ApiRefused:
            return None
        return found

    async def enter_as_demo(self, page: PageContext) -> PageAnswer:
        """Open a session of the demo account, of a local suite, at this machine; its button says where to.

        Raises:
            NotFound: there is none for this visitor.
        """
        demo = self._demo(page)
        if demo is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no demo account.")
        page.log_in(
            await self.shared.accounts.login(
                demo.email, demo.password, "", page.origin, page.call, previous=page.session
            )
        )
        return Redirect(DEMO_WAYS.get(first(page.form, "to"), CONSOLE))
