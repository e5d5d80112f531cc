"""Which model is meant by a name: of the whole account, or where one key is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.gateway.console.forms.draft import Draft, draft_of
from services.gateway.console.forms.faults import Fault, FormRefused, fault_of
from services.gateway.console.forms.shown import form_page
from services.gateway.console.keys.orders import names_of
from services.gateway.console.keys.pages import API, ONE, PATH
from services.gateway.edge.endpoint import Endpoint
from services.gateway.pages.answers import PageAnswer, Redirect, TemplatePage
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext, part_of_path
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

OF_ACCOUNT: Final = f"{PATH}/names"
BLANK_ROWS: Final = 3


@dataclass(frozen=True, slots=True)
class NamePages:
    """Names of models."""

    shared: PageDependencies
    api: OwnApi

    def all(self) -> list[Endpoint]:
        """Return the pages."""
        return member_pages(self.shared, [(path, self.show, self.set) for path in (OF_ACCOUNT, f"{ONE}/names")])

    async def show(self, page: PageContext) -> PageAnswer:
        """Show the names there are, and rows for more."""
        names = (await self.api.get(page, _api(page)))["names"]
        return await self._form(page, draft_of(name=names.keys(), model=names.values()))

    async def _form(self, page: PageContext, draft: Draft, fault: Fault | None = None) -> TemplatePage:
        key_id = page.scope["path_params"].get("key_id", "")
        key = await self.api.get(page, f"{API}/{part_of_path(key_id)}") if key_id else None
        models = await self.api.list_if_up(page, "/v1/models")
        given = [value for name, value in draft.pairs if name == "name"]
        meant = [value for name, value in draft.pairs if name == "model"]
        rows = [*zip(given, meant, strict=False), *[("", "")] * BLANK_ROWS]
        values = {"draft": draft, "key": key, "rows": rows, "models": models}
        return form_page("keys/names.html", values, fault)

    async def set(self, page: PageContext) -> PageAnswer:
        """Replace them."""
        draft = Draft(page.form)
        try:
            await self.api.send(page, "PUT", _api(page), {"names": names_of(draft)})
        except (ApiRefused, FormRefused) as exc:
            return await self._form(page, draft, fault_of(exc, "names", ("names",)))
        return Redirect(f"{PATH}?done=named")


def _api(page: PageContext) -> str:
    key_id = page.scope["path_params"].get("key_id", "")
    return f"{API}/{part_of_path(key_id)}/model-names" if key_id else "/v1/users/me/model-names"
