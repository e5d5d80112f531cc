"""What a form of these pages orders of the API, and where the browser goes then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.edge.reading.params import first
from services.gateway.pages.own_api import OwnApi
from services.gateway.pages.page_context import PageContext


@dataclass(frozen=True, slots=True)
class Order:
    """A request of the API."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None


async def give(api: OwnApi, page: PageContext, orders: Mapping[str, Order]) -> None:
    """Give the order that the form's button names.

    Raises:
        InvalidRequest: there is no such button.
        ApiRefused: the API said no.
    """
    order = orders.get(first(page.form, "order"))
    if order is None:
        raise InvalidRequest(ErrorReason.INVALID_PARAMETERS, "There is no such order.", param="order")
    await api.send(page, order.method, order.path, order.body)
