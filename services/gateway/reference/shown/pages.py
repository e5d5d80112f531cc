"""/docs and below: the index with its search, a page for each room of the API, one for errors, and reads that run."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final
from urllib.parse import quote

from servicekit.errors import ErrorReason, NotFound
from services.gateway.edge.api_description import DOCS_PATH, OPENAPI_PATH
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import PageAnswer, TemplatePage
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, page_endpoint, recognise
from services.gateway.reference.shown.operations import ShownOperation
from services.gateway.reference.shown.reference import Reference, reference_of

ROOM_PATH: Final = f"{DOCS_PATH}/{{room}}"
ERRORS_PATH: Final = f"{DOCS_PATH}/errors"
RUN_PATH: Final = f"{DOCS_PATH}/run/{{operation_id}}"
# What is answered is shown up to here; the rest is what a program is for.
SHOWN_CHARACTERS: Final = 50_000


class ReferencePages:
    """The pages; the description is asked for when the first of them is."""

    def __init__(self, shared: PageDependencies, api: OwnApi) -> None:
        self._shared = shared
        self._api = api
        self._made: Reference | None = None
        self._making = asyncio.Lock()

    def all(self) -> list[Endpoint]:
        """Return the pages. Those with a name of their own come before a room of any name."""
        return [
            page_endpoint(DOCS_PATH, self._shared, self.index),
            page_endpoint(ERRORS_PATH, self._shared, self.errors),
            page_endpoint(RUN_PATH, self._shared, self.run),
            page_endpoint(ROOM_PATH, self._shared, self.room),
        ]

    async def index(self, page: PageContext) -> PageAnswer:
        """Show all operations, or those that are searched for."""
        reference = await self._reference(page)
        phrase = " ".join(first(page.query, "q").split())
        found = reference.search.find(phrase) if phrase else None
        return _page(page, "index", reference, phrase=phrase, found=found)

    async def errors(self, page: PageContext) -> PageAnswer:
        """Show what each code of an error means."""
        return _page(page, "errors", await self._reference(page))

    async def room(self, page: PageContext) -> PageAnswer:
        """Show the operations of one room.

        Raises:
            NotFound: there is no such room.
        """
        reference = await self._reference(page)
        name = page.path_value("room")
        if name not in reference.rooms:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such page.")
        body = reference.rendered[page.language, name]
        return _page(page, "room", reference, room=reference.rooms[name], body=body)

    async def run(self, page: PageContext) -> PageAnswer:
        """Ask what reads, in the name of whoever is logged in, and show what the API answers.

        Raises:
            NotFound: there is no such operation, or it does more than read.
        """
        reference = await self._reference(page)
        operation = reference.operations.get(page.path_value("operation_id"))
        if operation is None or not operation.can_be_run:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such page.")
        missing = any(each.is_required and not first(page.query, each.name) for _, each in operation.parameters)
        answered: dict[str, Any] = {"status": 0, "answer": ""}
        if (operation.scopes is None or page.user) and not missing:
            answered = await self._answered(page, operation)
        return _page(page, "run", reference, operation=operation, given=dict(page.query), **answered)

    async def _answered(self, page: PageContext, operation: ShownOperation) -> dict[str, Any]:
        path = operation.path
        for place, parameter in operation.parameters:
            if place == "path":
                path = path.replace(f"{{{parameter.name}}}", quote(first(page.query, parameter.name), safe=":/"))
        names = {parameter.name for place, parameter in operation.parameters if place == "query"}
        asked = [(name, value) for name, value in page.query if name in names and value]
        try:
            answer = await self._api.get(page, path, asked)
        except ApiRefused as exc:
            refused = {"code": exc.code, "message": exc.message, "param": exc.param or None}
            return {"status": exc.status, "answer": _written({"error": refused})}
        return {"status": 200, "answer": _written(answer)}

    async def _reference(self, page: PageContext) -> Reference:
        await recognise(page, self._shared.accounts)
        async with self._making:
            if self._made is None:
                whole = await self._api.get(page, OPENAPI_PATH)
                self._made = await asyncio.to_thread(reference_of, whole)
            return self._made


def _written(answer: Any) -> str:
    text = json.dumps(answer, ensure_ascii=False, indent=2)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "\n…"


def _page(page: PageContext, name: str, reference: Reference, **values: Any) -> TemplatePage:
    shared = {"reference": reference, "titles": reference.titles[page.language], "url": page.public_url}
    return TemplatePage(f"reference/{name}.html", {**shared, **values}, scripted=True)
