"""What a form of these pages orders of the API, and where the browser goes then."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.console.forms.faults import Fault, field_of
from services.gateway.edge.reading.params import first
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext

# What whoever filled in the form can mend there.
MENDABLE: Final = (400, 404, 409)


@dataclass(frozen=True, slots=True)
class Order:
    """A request of the API."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None


async def give(api: OwnApi, page: PageContext, orders: Mapping[str, Order], fields: Collection[str]) -> Fault | None:
    """Give the order that the form's button names; return what is wrong with it, at one of its fields if it is there.

    Raises:
        InvalidRequest: there is no such button.
        ApiRefused: who asks is no administrator, or what the API needs is away.
    """
    order = orders.get(first(page.form, "order"))
    if order is None:
        raise InvalidRequest(ErrorReason.INVALID_PARAMETERS, "There is no such order.", param="order")
    try:
        await api.send(page, order.method, order.path, order.body)
    except ApiRefused as exc:
        if exc.status not in MENDABLE:
            raise
        field = field_of(exc.param)
        known = field if field in fields else ""
        return Fault(known, f"admin.fault_{field}" if known else f"refusal.{exc.code}", exc.message, exc.status)
    return None
