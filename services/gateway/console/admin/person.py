"""/console/admin/people/{user_id}: what caps a person, their keys and their applications."""

from __future__ import annotations

from dataclasses import dataclass

from services.gateway.console.admin.capped import PERSON_ROUTE, person_of
from services.gateway.console.admin.caps import DONE, CapPages, caps_of
from services.gateway.console.forms.shown import done_of
from services.gateway.edge.endpoint import Endpoint
from services.gateway.pages.answers import PageAnswer, TemplatePage
from services.gateway.pages.own_api import OwnApi
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, member_pages


@dataclass(frozen=True, slots=True)
class PersonPages:
    """An account with its budgets, and their forms."""

    shared: PageDependencies
    api: OwnApi

    def all(self) -> list[Endpoint]:
        """Return the pages."""
        budgets = CapPages(self.shared, self.api, PERSON_ROUTE, person_of)
        # Theirs first: an id may be anything that has slashes, too.
        return [*budgets.all(), *member_pages(self.shared, [(PERSON_ROUTE, self.show, None)])]

    async def show(self, page: PageContext) -> PageAnswer:
        """Show everything that caps the account, and how it stands."""
        whose = await person_of(self.api, page)
        budgets = await caps_of(self.api, page, whose)
        values = {"person": whose.told, "at": whose.path, "budgets": budgets, "done": done_of(page, "budgets", DONE)}
        return TemplatePage("admin/person.html", values)
