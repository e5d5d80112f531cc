"""GET /v1/providers/status and /health/providers: how the providers are, as the router sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

from fastapi import APIRouter

from services.gateway.clients.completion import ModelStatus
from services.gateway.clients.router.client import RouterClient
from services.gateway.edge.request_context import Context
from services.gateway.inference.routes.bodies import ProviderHealthBody, ProvidersBody
from services.gateway.inference.routes.canary_bodies import compared

OPERATIONAL: Final = "operational"
DEGRADED: Final = "degraded"
DOWN: Final = "down"
UNKNOWN: Final = "unknown"


def providers_router(client: RouterClient) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["providers"])

    @router.get("/v1/providers/status", response_model=ProvidersBody)
    async def get_status(context: Context) -> dict[str, Any]:
        """Return state, latency and success rate of each provider and model version, and how canaries compare."""
        statuses, sides = await client.provider_status(context.call), await client.canary_sides(context.call)
        return {"data": by_provider(statuses), "canaries": compared(sides)}

    @router.get("/health/providers", response_model=ProviderHealthBody)
    async def get_health(context: Context) -> dict[str, Any]:
        """Return the state of each provider in one word, for probes."""
        providers = by_provider(await client.provider_status(context.call))
        states = {provider["provider"]: provider["status"] for provider in providers}
        return {"status": overall(list(states.values())), "providers": states}

    return router


def by_provider(statuses: Sequence[ModelStatus]) -> list[dict[str, Any]]:
    """Return the states grouped by provider."""
    ordered = sorted(statuses, key=lambda status: (status.provider, status.model))
    return [_provider(name, list(models)) for name, models in groupby(ordered, key=lambda status: status.provider)]


def _provider(name: str, models: list[ModelStatus]) -> dict[str, Any]:
    status = overall([model.status for model in models])
    return {
        "provider": name,
        "status": status,
        "since": _since(models, status),
        "latency_ms": round(_mean([model for model in models if model.latency_ms], lambda model: model.latency_ms)),
        "success_rate": round(1 - _mean(models, lambda model: model.error_rate), 4),
        "calls": sum(model.calls for model in models),
        "models": [_model(model) for model in models],
    }


def _mean(models: Sequence[ModelStatus], figure: Callable[[ModelStatus], float]) -> float:
    """Return the mean of a figure of each model by its calls: one that was asked once must not count like all others.

    Where none was asked lately each counts alike, but for those that nobody has ever asked.
    """
    weights = [model.calls for model in models]
    if not any(weights):
        weights = [int(model.status != UNKNOWN) for model in models]
    weighted = sum(figure(model) * weight for model, weight in zip(models, weights, strict=True))
    return weighted / (sum(weights) or 1)


def _model(model: ModelStatus) -> dict[str, Any]:
    return {
        "model": model.model,
        "status": model.status,
        "reason": model.reason or None,
        "since": model.since,
        "latency_ms": model.latency_ms,
        "latency_p50_ms": model.latency_ms,
        "latency_p95_ms": model.latency_p95_ms,
        "first_token_p50_ms": model.first_content_p50_ms,
        "first_token_p95_ms": model.first_content_p95_ms,
        "success_rate": round(1 - model.error_rate, 4),
        "calls": model.calls,
        "updated_at": datetime.fromtimestamp(model.updated_at_s, UTC).isoformat(),
    }


def _since(models: Sequence[ModelStatus], status: str) -> datetime | None:
    """Return when the provider came into its status: of trouble, when the first model did; else when the last did."""
    begun = [model.since for model in models if model.since is not None and model.status != UNKNOWN]
    troubled = [model.since for model in models if model.since is not None and model.status in (DEGRADED, DOWN)]
    if not begun:
        return None
    if status == DEGRADED:
        return min(troubled, default=None)
    return max(begun)


def overall(states: Sequence[str]) -> str:
    """Return one word for many: down only when all that were tried are down."""
    known = {state for state in states if state != UNKNOWN}
    if not known:
        return UNKNOWN
    if known == {OPERATIONAL}:
        return OPERATIONAL
    return DOWN if known == {DOWN} else DEGRADED
