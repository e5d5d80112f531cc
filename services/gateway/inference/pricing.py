"""What one request asks for, at the prices of the moment it came in; and how admission and metering hear of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from services.gateway.admission.request import AdmissionRequest
from services.gateway.clients.catalog import Catalog, CatalogWatch, Model
from services.gateway.clients.completion import Route
from services.gateway.edge.problems import Headers
from services.gateway.edge.request_context import RequestContext
from services.gateway.identity.access import check_model
from services.gateway.inference.estimate import Estimate
from services.gateway.metering.usage_record import Price, RequestFacts


@dataclass(frozen=True, slots=True)
class Choice:
    """A model and its price at one moment."""

    catalog: Catalog
    model: Model
    price: Price


@dataclass(frozen=True, slots=True)
class PricedRequest:
    """What is asked for, and the most it can cost. `at` is when its price was frozen."""

    choice: Choice
    estimate: Estimate
    endpoint: str
    stream: bool
    at: datetime

    @property
    def catalog(self) -> Catalog:
        """The catalogue as it was at that moment."""
        return self.choice.catalog

    @property
    def model(self) -> Model:
        """The model asked for."""
        return self.choice.model

    @property
    def price(self) -> Price:
        """Its price."""
        return self.choice.price


def choose_model(watch: CatalogWatch, context: RequestContext, name: str, kind: str, now: datetime) -> Choice:
    """Return what the caller means by `name`, checked against its credential, with the price of now.

    Raises:
        NotFound: no such model.
        PermissionDenied: the credential does not list it.
        Unavailable: it has no price.
    """
    catalog = watch.current()
    model = catalog.get_kind(name, kind)
    check_model(context.known_caller, model)
    context.requested_model, context.model, context.provider = name, model.id, model.provider
    return Choice(catalog, model, model.price_at(now))


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
    )


def request_facts(context: RequestContext, priced: PricedRequest, boot_id: str) -> RequestFacts:
    """Return what the hold and the journal keep from here on."""
    caller, model = context.known_caller, priced.model
    return RequestFacts(
        boot_id=boot_id,
        key_id=caller.key_id,
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


def answer_headers(route: Route, model: Model) -> Headers:
    """Return the headers that say what answered, and what will end."""
    headers: Headers = [
        (b"x-razvilka-model", _header(route.resolved_model or route.model)),
        (b"x-razvilka-provider", _header(route.provider)),
    ]
    if route.dropped_params:
        headers.append((b"x-razvilka-dropped-params", _header(", ".join(route.dropped_params))))
    if model.deprecated_at is not None:
        headers.append((b"deprecation", f"@{int(model.deprecated_at.timestamp())}".encode()))
    if model.shutdown_at is not None:
        headers.append((b"sunset", model.shutdown_at.strftime("%a, %d %b %Y %H:%M:%S GMT").encode()))
    return headers


# Names of models, providers and parameters: a small closed set, seen in every request.
@lru_cache(maxsize=4096)
def _header(text: str) -> bytes:
    """Return text from another service as a header value: nothing in it can end the header."""
    return "".join(char if " " <= char <= "~" else "?" for char in text).encode()
