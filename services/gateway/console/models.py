"""/console/models: the catalogue as people compare it: what a name resolves to, windows, prices, ends, health."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from services.gateway.edge.endpoint import Endpoint
from services.gateway.pages.answers import PageAnswer, TemplatePage
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.own_api import OwnApi
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

# People compare the price of so many tokens.
THOUSAND: Final = 1000
PARTS: Final = ("prompt", "completion", "cached_prompt")


@dataclass(frozen=True, slots=True)
class ModelsPage:
    """The catalogue."""

    shared: PageDependencies
    api: OwnApi

    def all(self) -> list[Endpoint]:
        """Return the page."""
        return member_pages(self.shared, [(f"{CONSOLE}/models", self.show, None)])

    async def show(self, page: PageContext) -> PageAnswer:
        """Show every model that the person may use."""
        models, health = await asyncio.gather(self.api.get(page, "/v1/models"), self._health(page))
        rows = [
            {
                **model,
                "price": None if model["pricing"] is None else _per_thousand(model["pricing"]),
                # The newest first, as people look for it.
                "history": [_dated(price) for price in reversed(model["price_history"])],
                "health": health.get(model["id"]),
            }
            for model in models["data"]
        ]
        return TemplatePage("models.html", {"models": rows, "price_parts": PARTS})

    async def _health(self, page: PageContext) -> Mapping[str, Mapping[str, Any]]:
        """Return how each model version is now; of none while the routers cannot be asked."""
        providers = await self.api.list_if_up(page, "/v1/providers/status")
        return {model["model"]: model for provider in providers for model in provider["models"]}


def _per_thousand(pricing: Mapping[str, str]) -> Mapping[str, str]:
    """Return roubles for a thousand tokens, as exact as the catalogue has them."""
    return {name: f"{(Decimal(pricing[name]) * THOUSAND).normalize():f}" for name in PARTS}


def _dated(price: Mapping[str, str]) -> Mapping[str, str]:
    return {"valid_from": price["valid_from"], **_per_thousand(price)}
