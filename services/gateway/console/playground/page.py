"""/console/playground: a question to one model or two; whole without scripts, as it is made with ours."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from services.gateway.console.playground.asked import chat_models, known_request, place_of_request
from services.gateway.console.playground.question import (
    FieldFault,
    Question,
    once_name,
    question_in,
    streamed,
)
from services.gateway.console.playground.snippets import CHAT, snippets_of
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.body import BodyLimits
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import FromApi, PageAnswer, TemplatePage
from services.gateway.pages.forms import ONCE, once_token
from services.gateway.pages.language import TEXTS
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, page_endpoint

PATH: Final = f"{CONSOLE}/playground"
TEMPLATE: Final = "playground.html"
# Some forty thousand letters of Russian, of which a form makes six bytes each.
FORM: Final = BodyLimits(size=256 * 1024, seconds=10.0, depth=1, elements=100)
# The button that asks nothing, and shows the code.
ACTION, CODE = "act", "code"
HINT: Final = "hint."


@dataclass(frozen=True, slots=True)
class Told:
    """What a model said, and what is known of the request; or what the API said instead."""

    model: str
    answer: Mapping[str, Any] | None = None
    request: Mapping[str, Any] | None = None
    refused: ApiRefused | None = None


@dataclass(frozen=True, slots=True)
class PlaygroundPages:
    """The form, and what its scripts ask."""

    shared: PageDependencies
    api: OwnApi

    def all(self) -> list[Endpoint]:
        """Return the pages."""
        page = partial(page_endpoint, shared=self.shared, login_required=True, form_limits=FORM)
        return [
            page(PATH, get=self.show, post=self.ask),
            page(f"{PATH}/stream", post=self.stream),
            page(f"{PATH}/figures", get=self.figures),
        ]

    async def show(self, page: PageContext) -> PageAnswer:
        """Show an empty form, or one of the model in the address."""
        models = await chat_models(page, self.api)
        wanted = first(page.query, "model")
        known = [model["id"] for model in models]
        chosen = (wanted,) if wanted in known else tuple(known[:1])
        question = Question(chosen, TEXTS[page.language]["playground.example"])
        return _form(page, models, question)

    async def ask(self, page: PageContext) -> PageAnswer:
        """Show what was answered, whole; or only the code that asks it."""
        question, models = question_in(page.form), await chat_models(page, self.api)
        try:
            bodies = question.bodies()
        except FieldFault as exc:
            return _form(page, models, question, fault=exc)
        if first(page.form, ACTION) == CODE:
            return _form(page, models, question)
        name = first(page.form, ONCE) or once_token()
        asked = [self._told(page, body, once_name(name, at, body)) for at, body in enumerate(bodies)]
        return _form(page, models, question, told=await asyncio.gather(*asked))

    async def stream(self, page: PageContext) -> PageAnswer:
        """Have the API answer, as the answer is made. A field that cannot be read is shown as by `ask`."""
        question = question_in(page.form)
        try:
            body = question.bodies()[0]
        except FieldFault as exc:
            return _form(page, await chat_models(page, self.api), question, fault=exc)
        return FromApi(partial(self.api.hand_over, page, CHAT, streamed(body)))

    async def figures(self, page: PageContext) -> PageAnswer:
        """Return what an answer took and cost, as a part of the page."""
        found = await self.api.get(page, place_of_request(first(page.query, "id")))
        return TemplatePage("playground_figures.html", {"request": found})

    async def _told(self, page: PageContext, body: dict[str, Any], once: str) -> Told:
        try:
            answer = await self.api.pay(page, CHAT, body, once=once)
        except ApiRefused as exc:
            return Told(body["model"], refused=exc)
        return Told(body["model"], answer, await known_request(page, self.api, answer["id"]))


def _form(
    page: PageContext,
    models: list[dict[str, Any]],
    question: Question,
    *,
    fault: FieldFault | None = None,
    told: list[Told] | None = None,
) -> TemplatePage:
    values = {
        "models": models,
        "question": question,
        "fault": fault,
        "told": told or [],
        "hints": _hints(page.language),
        "snippets": snippets_of(page.public_url, question.bodies()[0]) if fault is None and question.models else (),
    }
    return TemplatePage(TEMPLATE, values, 200 if fault is None else 400, scripted=True)


def _hints(language: str) -> list[tuple[str, str]]:
    """Return by the codes of the API what a person does about an error; "other" is of all that are not named."""
    return [(name.removeprefix(HINT), text) for name, text in TEXTS[language].items() if name.startswith(HINT)]
