"""/console/admin/catalog: which models are on, what they cost from when on, who still calls what ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from services.gateway.console.admin.orders import MENDABLE, Giver, Order
from services.gateway.console.forms.draft import Draft
from services.gateway.console.forms.faults import Fault
from services.gateway.console.forms.shown import form_page
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import PageAnswer, Redirect
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext, part_of_path
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

PATH: Final = f"{CONSOLE}/admin/catalog"
CATALOG: Final = "/v1/admin/catalog"
FIELDS: Final = ("valid_from", "input", "output", "cached", "source")


@dataclass(frozen=True, slots=True)
class CatalogPage:
    """The catalogue as those who run the suite see it."""

    shared: PageDependencies
    api: OwnApi

    def all(self) -> list[Endpoint]:
        """Return the page."""
        return member_pages(self.shared, [(PATH, self.show, self.change)])

    async def show(self, page: PageContext) -> PageAnswer:
        """Show the models, what differs from the catalogue's files, the prices of one, and what ends."""
        return await self._shown(page, first(page.query, "model"), Draft([]))

    async def _shown(self, page: PageContext, model: str, draft: Draft, fault: Fault | None = None) -> PageAnswer:
        overrides, ending, models = await asyncio.gather(
            self.api.get(page, f"{CATALOG}/overrides"),
            self.api.get_if_up(page, "/v1/admin/models/expiring"),
            self.api.get(page, "/v1/models"),
        )
        offered = {each["id"]: each["resolved_model"] or each["id"] for each in models["data"]}
        differing = {each["model"]: each for each in overrides["data"]}
        prices, fault = await self._prices(page, model, fault)
        values = {
            "models": listed(offered, differing, overrides["history"]),
            "offered": offered,
            "differing": differing,
            "history": overrides["history"],
            "ending": ending,
            "chosen": model,
            "prices": prices,
            "draft": draft,
        }
        return form_page("admin/catalog.html", values, fault)

    async def _prices(self, page: PageContext, model: str, fault: Fault | None) -> tuple[Any, Fault | None]:
        """Return the prices of a model, and what is wrong: with the form, or with this name; None: it has none."""
        if not model:
            return None, fault
        try:
            return (await self.api.get(page, f"{CATALOG}/prices", [("model", model)]))["data"], fault
        except ApiRefused as exc:
            if exc.status not in MENDABLE:
                raise
            return None, fault or Fault("", "admin.fault_priced", exc.message, exc.status)

    async def change(self, page: PageContext) -> PageAnswer:
        """Switch a model off or on, have it be as its file says again, or give it a price."""
        order = first(page.form, "order")
        override = f"{CATALOG}/overrides/{part_of_path(first(page.form, 'model'))}"
        # What else differs stays as it is: an override is given whole.
        patch = await self._patch(page, first(page.form, "model")) if order in ("off", "on") else {}
        orders = {
            "off": Order("PUT", override, {**patch, "enabled": False}),
            "on": Order("PUT", override, {**patch, "enabled": True}),
            "remove": Order("DELETE", override),
            "price": Order("POST", f"{CATALOG}/prices", _price(page)),
        }
        fault = await Giver(self.api, self.shared.accounts, FIELDS).give(page, orders)
        shown = {"model": first(page.form, "model")} if order == "price" else {}
        if fault is not None:
            return await self._shown(page, shown.get("model", ""), Draft(page.form), fault)
        return Redirect(f"{PATH}?{urlencode(shown)}" if shown else PATH)

    async def _patch(self, page: PageContext, model: str) -> Mapping[str, Any]:
        overrides = await self.api.get(page, f"{CATALOG}/overrides")
        return next((each["patch"] for each in overrides["data"] if each["model"] == model), {})


def listed(
    offered: Mapping[str, str], differing: Mapping[str, Any], history: Iterable[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """Return every model with the one whose price it has: a price is of what a name stands for.

    A model that was given back to its file is in no list until gateways have read the catalogue anew. The newest order
    about it is known at once.
    """
    newest = {each["model"]: each["patch"] for each in reversed(list(history))}
    given_back = (model for model, patch in newest.items() if patch is None)
    unseen = {model: model for model in (*differing, *given_back)}
    return sorted((unseen | dict(offered)).items())


def _price(page: PageContext) -> dict[str, Any]:
    """Return the order of a price: roubles with a comma or a point, from midnight in Moscow of a day."""
    given = {name: first(page.form, name).strip().replace(",", ".") for name in ("input", "output", "cached")}
    day = first(page.form, "valid_from")
    return {
        "model": first(page.form, "model"),
        "valid_from": f"{day}T00:00:00+03:00",
        "source": first(page.form, "source"),
        **{name: value for name, value in given.items() if value},
    }
