"""What one request asks for, at the prices of the moment it came in; and how admission and metering hear of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from services.gateway.admission.request import AdmissionRequest, Admitted
from services.gateway.clients.catalog import Catalog, CatalogWatch, Model
from services.gateway.clients.completion import Route
from services.gateway.edge.problems import Headers
from services.gateway.edge.request_context import Exchange
from services.gateway.identity.access import check_model
from services.gateway.inference.estimate import Estimate
from services.gateway.metering.accounting import HoldFacts, Price
from services.gateway.metering.outcome import Dispatched


@dataclass(frozen=True, slots=True)
class Choice:
    """A model and its price at one moment."""

    catalog: Catalog
    model: Model
    price: Price


@dataclass(frozen=True, slots=True)
class Fare:
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


def choose_model(watch: CatalogWatch, exchange: Exchange, name: str, kind: str, now: datetime) -> Choice:
    """Return what the caller means by `name`, checked against its credential, with the price of now.

    Raises:
        NotFound: no such model.
        PermissionDenied: the credential does not list it.
        Unavailable: it has no price.
    """
    catalog = watch.current()
    model = catalog.get_kind(name, kind)
    check_model(exchange.known_caller, model)
    exchange.requested_model, exchange.model, exchange.provider = name, model.id, model.provider
    return Choice(catalog, model, model.price_at(now))


def admission_request(exchange: Exchange, fare: Fare, boot_id: str) -> AdmissionRequest:
    """Return what admission is asked."""
    caller, model, estimate = exchange.known_caller, fare.model, fare.estimate
    return AdmissionRequest(
        request_id=exchange.request_id,
        user_id=caller.user_id,
        key_id=caller.key_id,
        model=model.id,
        estimated_tokens=estimate.tokens,
        hold_micro_rub=estimate.hold_micro_rub,
        facts=HoldFacts(
            boot_id=boot_id,
            key_id=caller.key_id,
            provider=model.provider,
            model=model.id,
            price_version=fare.price.version,
            input_tokens=estimate.input_tokens,
            input_cost_micro_rub=-(-estimate.input_tokens * fare.price.input_micro_rub_per_1k // 1000),
            started_at_us=exchange.started_at_us,
            grant_id=caller.grant_id,
            client_id=caller.client_id,
            requested_model=exchange.requested_model,
            endpoint=fare.endpoint,
            stream=fare.stream,
        ),
        user_limits=caller.user_limits,
        key_limits=caller.key_limits,
        model_limits=caller.model_limits,
        budgets=caller.budgets,
    )


def dispatched(exchange: Exchange, fare: Fare, admitted: Admitted) -> Dispatched:
    """Return what the journal keeps from here on."""
    caller, model = exchange.known_caller, fare.model
    return Dispatched(
        ticket=admitted.ticket,
        provider=model.provider,
        model=model.id,
        price=fare.price,
        input_tokens=fare.estimate.input_tokens,
        started_at_us=exchange.started_at_us,
        key_id=caller.key_id,
        grant_id=caller.grant_id,
        client_id=caller.client_id,
        requested_model=exchange.requested_model,
        endpoint=fare.endpoint,
        stream=fare.stream,
        trace_id=exchange.call.trace.trace_id,
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
