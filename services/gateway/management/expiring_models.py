"""GET /v1/admin/models/expiring: models that end soon, and who still calls them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from servicekit.clock import Clock
from services.gateway.clients.catalog import CatalogWatch, Model
from services.gateway.clients.usage import ModelCaller, UsageClient
from services.gateway.edge.request_context import Context
from services.gateway.identity.access import Needs, Scope
from services.gateway.management.bodies import ExpiringModels

NEEDS: Final[Needs] = {"GET /v1/admin/models/expiring": Scope.ADMIN}


def expiring_models_router(usage: UsageClient, catalog: CatalogWatch, clock: Clock) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["administration"])

    @router.get("/v1/admin/models/expiring", response_model=ExpiringModels)
    async def list_expiring(
        context: Context,
        within_days: Annotated[int, Query(ge=1, le=3650)] = 90,
        called_days: Annotated[int, Query(ge=1, le=366, description="Callers of so many days are listed.")] = 30,
        limit: Annotated[int, Query(ge=1, le=1000, description="Callers of all models together.")] = 200,
    ) -> dict[str, Any]:
        """List models that end soon, the next one first, with their callers, most requests first."""
        now = clock.now()
        ending = _ending(catalog.current().models, now, now + timedelta(days=within_days))
        callers = await usage.model_callers(
            context.known_caller.user_id,
            [model.id for model, _ in ending],
            now - timedelta(days=called_days),
            limit,
            context.call,
        )
        return {"data": [_body(model, ends_at, now, callers) for model, ends_at in ending]}

    return router


def _ending(models: Sequence[Model], now: datetime, until: datetime) -> list[tuple[Model, datetime]]:
    known = [(model, model.shutdown_at) for model in models if model.shutdown_at is not None]
    ending = [(model, ends_at) for model, ends_at in known if now < ends_at <= until]
    return sorted(ending, key=lambda entry: (entry[1], entry[0].id))


def _body(model: Model, ends_at: datetime, now: datetime, callers: Sequence[ModelCaller]) -> dict[str, Any]:
    return {
        "model": model.id,
        "provider": model.provider,
        "shutdown_date": ends_at.date().isoformat(),
        "days_left": (ends_at - now).days,
        "successor": model.successor or None,
        "callers": [_caller(each) for each in callers if each.model == model.id],
    }


def _caller(caller: ModelCaller) -> dict[str, Any]:
    return {
        "user_id": caller.user_id,
        "key_id": caller.key_id or None,
        "grant_id": caller.grant_id or None,
        "requests": caller.requests,
        "last_day": caller.last_day.date().isoformat(),
    }
