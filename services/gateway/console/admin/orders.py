"""What a form of these pages orders of the API, and where the browser goes then."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from servicekit.errors import invalid_parameter
from services.gateway.clients.accounts import AccountClient
from services.gateway.console.forms.faults import PASSWORD, SESSION, Fault, FormRefused, field_of
from services.gateway.console.forms.proof import prove
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


@dataclass(frozen=True, slots=True)
class Giver:
    """Gives the orders of a page's buttons to the API. `fields`: where the page can say what is wrong."""

    api: OwnApi
    accounts: AccountClient
    fields: Collection[str] = ()

    async def give(self, page: PageContext, orders: Mapping[str, Order]) -> Fault | None:
        """Give the order that the form's button names; return what is wrong with it, at its field if the page has it.

        Raises:
            InvalidRequest: there is no such button.
            ApiRefused: who asks is no administrator, or what the API needs is away.
        """
        order = orders.get(first(page.form, "order"))
        if order is None:
            raise invalid_parameter("order", "There is no such order.")
        try:
            await prove(page, self.accounts)
            await self.api.send(page, order.method, order.path, order.body)
        except FormRefused as exc:
            return exc.fault
        except ApiRefused as exc:
            return self._fault(exc)
        return None

    def _fault(self, refused: ApiRefused) -> Fault:
        if refused.param == SESSION:
            return Fault(PASSWORD, "forms.prove", status=refused.status)
        if refused.status not in MENDABLE:
            raise refused
        field = field_of(refused.param)
        known = field if field in self.fields else ""
        text = f"admin.fault_{field}" if known else f"refusal.{refused.code}"
        return Fault(known, text, refused.message, refused.status)
