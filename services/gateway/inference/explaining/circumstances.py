"""What a request met on its way, as it is kept for who asks for it afterwards."""

from __future__ import annotations

from functools import partial

from services.gateway.admission.request import Admitted
from services.gateway.clients.router.prompt import UNSTEERED
from services.gateway.edge.request_context import RequestContext
from services.gateway.inference.explaining.explained import Circumstances, MetBudget, MetLimit, encode_explanation
from services.gateway.inference.pricing import PricedRequest
from services.gateway.metering.interfaces import Explain
from services.gateway.metering.usage_record import Outcome, Price


def explain_by(context: RequestContext, priced: PricedRequest, admitted: Admitted, outcome: Outcome) -> Explain:
    """Return what says everything of a request that has ended, once its row is known."""
    price = outcome.price or priced.price
    return partial(encode_explanation, circumstances_of(context, priced, admitted, price))


def circumstances_of(context: RequestContext, priced: PricedRequest, admitted: Admitted, price: Price) -> Circumstances:
    """Return what no row says of a request that has ended; `price` is the one by which it is billed."""
    began_s = context.first_token_ms / 1000 or context.elapsed_s
    gateway_ms, queue_ms, provider_ms = context.timing.of(began_s)
    return Circumstances(
        candidates=tuple([model.id for model, _ in priced.candidates]),
        estimated_tokens=priced.estimate.tokens,
        hold_micro_rub=priced.estimate.hold_micro_rub,
        limits=tuple(
            [MetLimit(each.dimension, each.limit, each.remaining, each.reset_s) for each in admitted.report.figures]
        ),
        budgets=_budgets(admitted),
        gateway_ms=round(gateway_ms, 1),
        queue_ms=round(queue_ms, 1),
        provider_ms=round(provider_ms, 1),
        price=price,
        rule=_rule(priced),
        reached=tuple([(cap.id, cap.mode.value) for cap in admitted.report.reached]),
    )


def _rule(priced: PricedRequest) -> str:
    if priced.steered is UNSTEERED:
        return "catalogue"
    return priced.steered.sort or "caller"


def _budgets(admitted: Admitted) -> tuple[MetBudget, ...]:
    """Return the caller's budgets; nothing while nobody can say what is left of them."""
    return tuple(
        [
            MetBudget(each.subject, each.period.name.lower(), each.limit_micro_rub, rest, each.id, each.mode.value)
            for each, rest in admitted.budgets
        ]
    )
