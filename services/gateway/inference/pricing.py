"""What one request asks for, at the prices of the moment it came in; and how admission and metering hear of it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec
from msgspec import structs

from servicekit.clock import Clock
from services.gateway.admission.caps import matching
from services.gateway.admission.request import AdmissionRefused, AdmissionRequest
from services.gateway.clients.catalog import Catalog, CatalogWatch, Model
from services.gateway.clients.router.prompt import UNSTEERED, Candidates
from services.gateway.edge.request_context import RequestContext
from services.gateway.identity.access import check_model
from services.gateway.inference.estimate import Estimate, affordable_output, estimate, output_bound, worst
from services.gateway.inference.size.prompt_size import ENVELOPE_TOKENS, PromptSize
from services.gateway.inference.steering.choice import Steering, choose
from services.gateway.inference.steering.names import meant
from services.gateway.metering.usage_record import Price, RequestFacts

# Below so many tokens an answer is no answer: better refuse.
LEAST_OUTPUT: Final = 16
# So many tokens are enough for nearly every answer.
ROOMY_OUTPUT: Final = 1024


class PricedRequest(msgspec.Struct, frozen=True):
    """What is asked for, and the most it can cost.

    Attributes:
        endpoint: as the usage row names it: "chat.completions", "completions", "embeddings", "messages".
        stream: the answer is sent as it is made.
        catalog: as it was when the request came in; a fallback that answers is billed by it.
        model: the model asked for.
        price: its price, frozen.
        at: when the price was frozen.
        size: of what is asked.
        candidates: the models that may answer it, with their prices: the one asked for and its fallbacks.
        estimate: tokens and money that admission holds, whichever of them answers.
        max_tokens: what the provider is told that a choice may have at most; 0: what the caller said.
        steered: what the caller says of who answers, as the router is told; the same models as `candidates`.
        share_percent: of every price that is charged: an answer from the cache has its own.
        whole_price: that of the model asked for when a share of it is charged, in a batch that of a line; else None.
        asked: the bodies that say what is asked, in their new form; empty: nobody asks for the prompt's marks.
    """

    endpoint: str
    stream: bool
    catalog: Catalog
    model: Model
    price: Price
    at: datetime
    size: PromptSize
    candidates: tuple[tuple[Model, Price], ...]
    estimate: Estimate
    max_tokens: int = 0
    steered: Candidates = UNSTEERED
    share_percent: int = 100
    whole_price: Price | None = None
    asked: tuple[msgspec.Struct, ...] = ()

    @property
    def named_max_tokens(self) -> bool:
        """Tell whether the caller said how long an answer may be."""
        return self.size.max_tokens > 0

    @property
    def schema_bound(self) -> int:
        """Return the tokens of written-out schemas that are held for; 0: no model that may answer writes any out."""
        writes_out = any(model.writes_schemas_out for model, _ in self.candidates)
        return self.size.schemas.bound + ENVELOPE_TOKENS if writes_out else 0

    def affordable(self, micro_rub: int) -> int:
        """Return the longest answer, in tokens a choice, of a request that costs no more; 0: there is none."""
        return max(0, min(affordable_output(self.size, *candidate, micro_rub) for candidate in self.candidates))

    def lowered(self, max_tokens: int) -> PricedRequest:
        """Return the same request with shorter answers."""
        size = structs.replace(self.size, max_tokens=max_tokens)
        return structs.replace(self, size=size, estimate=worst_of(size, self.candidates), max_tokens=max_tokens)

    @property
    def least(self) -> PricedRequest:
        """Return the smallest form in which it may be asked: shorter answers only if the caller said nothing."""
        if self.named_max_tokens or not self.size.choices:
            return self
        return self.lowered(min(LEAST_OUTPUT, output_bound(self.size, self.model)))

    def price_of(self, model_id: str) -> Price | None:
        """Return the price of another model that answered, frozen at the same moment.

        None: it is the model asked for, no model at all, or one without a price; the price of the request counts.
        """
        if not model_id or model_id == self.model.id:
            return None
        model = self.catalog.find(model_id)
        price = None if model is None else model.known_price_at(self.at)
        return None if price is None else price.share(self.share_percent)

    def full_price_of(self, model_id: str) -> Price | None:
        """Return the whole price of a model that answered when only a share of it is charged; None: all of it is."""
        if self.whole_price is None or model_id in ("", self.model.id):
            return self.whole_price
        return (self.catalog.find(model_id) or self.model).known_price_at(self.at)

    def at_share(self, percent: int) -> PricedRequest:
        """Return the same request at so many percent of every price."""
        candidates = tuple([(model, price.share(percent)) for model, price in self.candidates])
        return structs.replace(
            self,
            price=self.price.share(percent),
            candidates=candidates,
            estimate=worst_of(self.size, candidates),
            share_percent=percent,
            whole_price=None if percent == 100 else self.price,
        )


class Pricing:
    """Prices requests by the catalogue of now."""

    def __init__(self, catalog: CatalogWatch, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    def price(
        self,
        context: RequestContext,
        model: str,
        *,
        kind: str,
        endpoint: str,
        size: PromptSize,
        steering: Steering | None = None,
        asked: tuple[msgspec.Struct, ...] = (),
    ) -> PricedRequest:
        """Return what the caller asks for: the model found and checked against its credential, at the price of now.

        Args:
            context: of an authenticated request; it learns which model is meant.
            model: as the caller wrote it: an id or an alias.
            kind: of model that the endpoint can use: "chat" or "embedding".
            endpoint: as the usage row names it.
            size: of this request.
            steering: what the caller says of who answers; None: nothing.
            asked: the bodies that say what is asked.

        Raises:
            NotFound: no such model.
            PermissionDenied: the credential does not list it.
            Unavailable: it has no price.
            InvalidRequest: what the caller says of who answers leaves nobody.
        """
        now, catalog, caller = self._clock.now(), self._catalog.current(), context.known_caller
        names = caller.model_names
        found = meant(catalog, names, model, kind) if names else catalog.get_kind(model, kind)
        check_model(caller, found)
        if steering is None:
            answering, steered = ((found, found.price_at(now)), *_fallbacks(catalog, found, now)), UNSTEERED
        else:
            answering, steered = choose(catalog, caller, found, now, steering)
        if context.deferral is not None:
            answering, steered = _deferred(answering[0], now)
        found, price = answering[0]
        context.requested_model, context.model, context.provider = model, found.id, found.provider
        covering = worst_of(size, answering)
        most = covering.output_bound // max(1, size.choices)
        # A provider would take the caller's word for more than the model's cap: then the hold would be no bound.
        told = most if size.max_tokens > most else 0
        return PricedRequest(
            endpoint, context.stream, catalog, found, price, now, size, answering, covering, told, steered, asked=asked
        )


def _deferred(chosen: tuple[Model, Price], now: datetime) -> tuple[tuple[tuple[Model, Price], ...], Candidates]:
    """Return who answers a line of a batch: the model asked for, at what batches cost there, and nobody else."""
    model, price = chosen
    percent = model.batch_percent_at(now)
    if percent != 100:
        price = structs.replace(price.share(percent), version=f"{price.version}+batch{percent}")
    return ((model, price),), Candidates((model.id,), alone=True)


def worst_of(size: PromptSize, candidates: tuple[tuple[Model, Price], ...]) -> Estimate:
    """Return what covers an answer of any of the models."""
    return worst([estimate(size, model, price) for model, price in candidates])


def _fallbacks(catalog: Catalog, asked: Model, now: datetime) -> list[tuple[Model, Price]]:
    return [
        (model, price)
        for name in asked.fallbacks
        if (model := catalog.find(name)) is not None
        and model.kind == asked.kind
        and (price := model.known_price_at(now)) is not None
    ]


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
        least_hold_micro_rub=priced.least.estimate.hold_micro_rub if caller.budgets else 0,
        facts=facts,
        limits=caller.limits,
        budgets=caller.budgets,
        quotas=matching(caller.quotas, model.id),
        time_zone=caller.time_zone,
        spender=caller.spender,
        lineage_id=caller.lineage_id,
    )


def request_facts(context: RequestContext, priced: PricedRequest, boot_id: str) -> RequestFacts:
    """Return what the hold and the journal keep from here on."""
    caller, model, estimate = context.known_caller, priced.model, priced.estimate
    return RequestFacts(
        boot_id=boot_id,
        key_id=caller.counted_key_id,
        grant_id=caller.grant_id,
        client_id=caller.client_id,
        provider=model.provider,
        model=model.id,
        price=priced.price,
        input_tokens=estimate.input_tokens,
        requested_model=context.requested_model,
        endpoint=priced.endpoint,
        stream=priced.stream,
        trace_id=context.call.trace.trace_id,
        started_at_us=context.started_at_us,
        input_bound=estimate.input_bound,
        output_bound=max(1, estimate.output_bound),
        hold_micro_rub=estimate.hold_micro_rub,
        idempotent=context.keeper is not None,
        metadata=context.metadata,
        prompt_digest=context.prompt_digest,
        traits=context.traits,
    )


def fitting(priced: PricedRequest, refused: AdmissionRefused) -> PricedRequest:
    """Return the request with answers so short that what a budget has left covers it.

    Raises:
        AdmissionRefused: `refused`, with the length that would fit: the caller named another one, nothing fits, or it
            was refused for something else.
    """
    if refused.budget_left_micro_rub is None or not priced.size.choices:
        raise refused
    most = priced.affordable(refused.budget_left_micro_rub)
    if most and priced.named_max_tokens:
        refused.details["max_tokens_that_fit"] = str(most)
        refused.message += f" With max_tokens of {most} or less it would fit."
    if priced.named_max_tokens or most < LEAST_OUTPUT:
        raise refused
    # Requests beside this one find something left too, unless it would cut this answer short.
    return priced.lowered(min(most, max(ROOMY_OUTPUT, priced.affordable(refused.budget_left_micro_rub // 2))))
