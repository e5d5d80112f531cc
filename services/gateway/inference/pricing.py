"""What one request asks for, at the prices of the moment it came in; and how admission and metering hear of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from servicekit.clock import Clock
from services.gateway.admission.request import AdmissionRequest
from services.gateway.clients.catalog import Catalog, CatalogWatch, Model
from services.gateway.edge.request_context import RequestContext
from services.gateway.identity.access import check_model
from services.gateway.inference.estimate import Estimate
from services.gateway.metering.usage_record import Price, RequestFacts

EstimateFor = Callable[[Model, Price], Estimate]


@dataclass(frozen=True, slots=True)
class PricedRequest:
    """What is asked for, and the most it can cost.

    Attributes:
        endpoint: as the usage row names it: "chat.completions", "completions", "embeddings".
        stream: the answer is sent as it is made.
        catalog: as it was when the request came in; a fallback that answers is billed by it.
        model: the model asked for.
        price: its price, frozen.
        at: when the price was frozen.
        estimate: tokens and money that admission holds.
    """

    endpoint: str
    stream: bool
    catalog: Catalog
    model: Model
    price: Price
    at: datetime
    estimate: Estimate

    def price_of(self, model_id: str) -> Price | None:
        """Return the price of another model that answered, frozen at the same moment.

        None: it is the model asked for, no model at all, or one without a price; the price of the request counts.
        """
        if not model_id or model_id == self.model.id:
            return None
        model = self.catalog.find(model_id)
        return None if model is None else model.known_price_at(self.at)


class Pricing:
    """Prices requests by the catalogue of now."""

    def __init__(self, catalog: CatalogWatch, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    def price(
        self, context: RequestContext, model: str, *, kind: str, endpoint: str, estimate: EstimateFor
    ) -> PricedRequest:
        """Return what the caller asks for: the model found and checked against its credential, at the price of now.

        Args:
            context: of an authenticated request; it learns which model is meant.
            model: as the caller wrote it: an id or an alias.
            kind: of model that the endpoint can use: "chat" or "embedding".
            endpoint: as the usage row names it.
            estimate: of this request, for a model and its price.

        Raises:
            NotFound: no such model.
            PermissionDenied: the credential does not list it.
            Unavailable: it has no price.
        """
        now, catalog = self._clock.now(), self._catalog.current()
        found = catalog.get_kind(model, kind)
        check_model(context.known_caller, found)
        context.requested_model, context.model, context.provider = model, found.id, found.provider
        price = found.price_at(now)
        return PricedRequest(endpoint, context.stream, catalog, found, price, now, estimate(found, price))


def admission_request(context: RequestContext, priced: PricedRequest, facts: RequestFacts) -> AdmissionRequest:
    """Return what admission is asked."""
    caller, model, estimate = context.known_caller, priced.model, priced.estimate
    return AdmissionRequest(
        request_id=context.request_id,
        user_id=caller.user_id,
        key_id=caller.key_id,
        model=model.id,
        estimated_tokens=estimate.tokens,
        hold_micro_rub=estimate.hold_micro_rub,
        facts=facts,
        limits=caller.limits,
        budgets=caller.budgets,
        time_zone=caller.time_zone,
    )


def request_facts(context: RequestContext, priced: PricedRequest, boot_id: str) -> RequestFacts:
    """Return what the hold and the journal keep from here on."""
    caller, model = context.known_caller, priced.model
    return RequestFacts(
        boot_id=boot_id,
        key_id=caller.counted_key_id,
        grant_id=caller.grant_id,
        client_id=caller.client_id,
        provider=model.provider,
        model=model.id,
        price=priced.price,
        input_tokens=priced.estimate.input_tokens,
        requested_model=context.requested_model,
        endpoint=priced.endpoint,
        stream=priced.stream,
        trace_id=context.call.trace.trace_id,
        started_at_us=context.started_at_us,
    )
