"""/console/break: buttons that break the emulated GigaChat, a question to it, and what comes of both."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from servicekit.errors import ErrorReason, NotFound, ServiceError
from services.gateway.clients.router.administration import ProviderAdministrationClient
from services.gateway.console.breaking.alarms import Alarm, AlarmWatch
from services.gateway.console.breaking.emulated import EmulatedProvider
from services.gateway.console.breaking.faults import ALARMS, FAULTS, PROVIDER, button_of, for_a_minute
from services.gateway.console.demo import is_local
from services.gateway.console.playground.asked import chat_models, known_request
from services.gateway.console.playground.question import once_name
from services.gateway.console.playground.snippets import CHAT
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import PageAnswer, Redirect, TemplatePage
from services.gateway.pages.forms import ONCE, once_token
from services.gateway.pages.language import TEXTS
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext, part_of_path
from services.gateway.pages.page_endpoint import PageDependencies, page_endpoint, require_user

PATH: Final = f"{CONSOLE}/break"
HEAL: Final = "heal"
TEMPLATE: Final = "break.html"
# As many failures in a row open a circuit (ROUTER_CIRCUITS_CONSECUTIVE).
MANY: Final = 5
# A short answer, whose price is there in a second.
MOST_TOKENS: Final = 40
LATEST: Final = (("limit", "6"), ("period", "today"))
Handle = Callable[[PageContext], Awaitable[PageAnswer]]


@dataclass(frozen=True, slots=True)
class BreakPages:
    """The buttons, the question, and what comes of both.

    The API tells causes of circuits to administrators only; whoever sits at this machine sees them by `router`.
    """

    shared: PageDependencies
    api: OwnApi
    provider: EmulatedProvider
    router: ProviderAdministrationClient
    alarms: AlarmWatch

    def all(self) -> list[Endpoint]:
        """Return the pages. Whoever is elsewhere is told that there are none, logged in or not."""
        here = self._here
        return [
            page_endpoint(PATH, self.shared, here(self.show), here(self.change)),
            page_endpoint(f"{PATH}/ask", self.shared, None, here(self.ask)),
        ]

    def _here(self, handle: Handle) -> Handle:
        async def guarded(page: PageContext) -> PageAnswer:
            if not is_local(page):
                raise NotFound(ErrorReason.NOT_FOUND, "There is nothing at this path.")
            await require_user(page, self.shared.accounts)
            return await handle(page)

        return guarded

    async def show(self, page: PageContext) -> PageAnswer:
        """Show the buttons, what they do now, and the question that was just asked."""
        asked = first(page.query, "request")
        request = await known_request(page, self.api, asked) if asked else None
        return await self._page(page, {"request": request})

    async def change(self, page: PageContext) -> PageAnswer:
        """Break the provider for a minute, or heal it.

        Raises:
            NotFound: there is no such button.
        """
        pressed = first(page.form, "fault")
        if pressed == HEAL:
            await self.provider.heal()
            return Redirect(PATH)
        fault = for_a_minute(pressed)
        if fault is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such fault.")
        await self.provider.commit(fault)
        return Redirect(PATH)

    async def ask(self, page: PageContext) -> PageAnswer:
        """Ask the provider once or several times, with another one to stand in, and show the last of it."""
        count = MANY if first(page.form, "many") else 1
        body = _question(page, await chat_models(page, self.api))
        name = first(page.form, ONCE) or once_token()
        # One after the other, so that a circuit that opens is seen by those that follow.
        answers = [await self._asked(page, body, once_name(name, at, body)) for at in range(count)]
        last = answers[-1]
        if isinstance(last, ApiRefused):
            return await self._page(
                page, {"refused": last, "request": await known_request(page, self.api, last.request_id)}
            )
        return Redirect(f"{PATH}?request={part_of_path(last)}")

    async def _page(self, page: PageContext, values: Mapping[str, Any]) -> TemplatePage:
        shown = {"refused": None, "faults": tuple(FAULTS), "many": MANY, **values}
        return TemplatePage(TEMPLATE, {**shown, **await self._effect(page)}, scripted=True)

    async def _effect(self, page: PageContext) -> dict[str, Any]:
        providers, lines, fault, alarms = await asyncio.gather(
            self.api.list_if_up(page, "/v1/providers/status"),
            self.api.list_if_up(page, "/v1/usage/requests", LATEST),
            self._fault(),
            self._alarms(page),
        )
        broken = button_of(fault)
        return {
            "provider": next((each for each in providers if each["provider"] == PROVIDER), None),
            "lines": lines,
            "fault": broken,
            "left_s": 0 if fault is None else round(fault.left_s),
            "alarms": alarms,
            "alarm": ALARMS.get(broken, ""),
        }

    async def _alarms(self, page: PageContext) -> list[Alarm] | None:
        """Return how the operators' alarms stand; None: it cannot be told at the moment."""
        try:
            circuits, _ = await self.router.circuits(page.call)
        except ServiceError:
            return None
        return self.alarms.look(circuits)

    async def _fault(self) -> Any:
        try:
            return await self.provider.fault()
        except ServiceError:
            return None

    async def _asked(self, page: PageContext, body: Mapping[str, Any], once: str) -> str | ApiRefused:
        try:
            answer_id: str = (await self.api.pay(page, CHAT, body, once=once))["id"]
        except ApiRefused as exc:
            return exc
        return answer_id


def _question(page: PageContext, chats: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a question to the provider that breaks, and to the first model of another one if it cannot answer."""
    own = [model["id"] for model in chats if model["provider"] == PROVIDER][:1]
    others = [model["id"] for model in chats if model["provider"] != PROVIDER][:1]
    message = {"role": "user", "content": TEXTS[page.language]["break.question"]}
    return {"models": [*own, *others], "messages": [message], "max_tokens": MOST_TOKENS}
