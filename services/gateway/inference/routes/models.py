"""GET /v1/models, /v1/models/{id}, /v1/parameters/{model}."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi import Path as PathParam

from servicekit.clock import Clock
from services.gateway.clients.catalog import CatalogWatch, Model
from services.gateway.inference.routes.bodies import ModelBody, ModelList, ParametersBody

# Medians of what callers of a chat API give when a catalogue says nothing: OpenAI's own defaults.
_MEDIANS: Final = {"temperature": 1.0, "top_p": 1.0, "frequency_penalty": 0.0, "presence_penalty": 0.0}
ModelIdInPath = Annotated[str, PathParam(description="A model id or alias: `yandexgpt:latest`, `gigachat/pro`.")]


def models_router(catalog: CatalogWatch, clock: Clock) -> APIRouter:
    """Return the routes; they read the snapshot in memory."""
    router = APIRouter(tags=["models"])

    @router.get("/v1/models", response_model=ModelList)
    async def list_models(
        supported_parameters: Annotated[
            str | None, Query(description="Only models that take all of these, comma-separated.")
        ] = None,
    ) -> dict[str, Any]:
        """List all models with their prices, limits and lifecycle."""
        wanted = {name.strip() for name in (supported_parameters or "").split(",") if name.strip()}
        now = clock.now()
        models = [model for model in catalog.current().models if wanted <= set(model.supported_parameters)]
        return {"object": "list", "data": [model_body(model, now) for model in models]}

    @router.get("/v1/models/{model_id:path}", response_model=ModelBody)
    async def get_model(model_id: ModelIdInPath) -> dict[str, Any]:
        """Return one model; ids may have colons and slashes."""
        return model_body(catalog.current().get(model_id), clock.now())

    @router.get("/v1/parameters/{model_id:path}", response_model=ParametersBody)
    async def get_parameters(model_id: ModelIdInPath) -> dict[str, Any]:
        """Return the parameters a model takes, and their medians."""
        model = catalog.current().get(model_id)
        medians = {f"{name}_p50": model.default_parameters.get(name, value) for name, value in _MEDIANS.items()}
        return {"data": {"model": model.id, "supported_parameters": list(model.supported_parameters), **medians}}

    return router


def model_body(model: Model, now: datetime) -> dict[str, Any]:
    """Return a model as the API shows it."""
    shutdown = _date(model.shutdown_at)
    return {
        "id": model.id,
        "object": "model",
        "created": int(model.created_at.timestamp()) if model.created_at else 0,
        "owned_by": model.provider,
        "name": model.name,
        "description": model.description,
        "provider": model.provider,
        "version": model.version,
        "kind": model.kind,
        "resolved_model": model.resolved_model,
        "aliases": list(model.aliases),
        "pricing": _pricing(model, now),
        "context_length": model.context_length or None,
        "architecture": {"modality": model.modality, "tokenizer": model.provider, "instruct_type": None},
        "limits": {
            "context_length": model.context_length or None,
            "max_completion_tokens": model.max_output_tokens or None,
        },
        "supported_features": list(model.supported_features),
        "supported_parameters": list(model.supported_parameters),
        "default_parameters": dict(model.default_parameters),
        "lifecycle": {
            "deprecated": model.deprecated_at is not None and model.deprecated_at <= now,
            "deprecation_date": _date(model.deprecated_at),
            "shutdown_date": shutdown,
        },
        "shutdown_date": shutdown,
    }


def _pricing(model: Model, now: datetime) -> dict[str, str] | None:
    price = model.known_price_at(now)
    if price is None:
        return None
    cached = price.cached_micro_rub_per_1k
    return {
        "prompt": _per_token(price.input_micro_rub_per_1k),
        "completion": _per_token(price.output_micro_rub_per_1k),
        "cached_prompt": _per_token(price.input_micro_rub_per_1k if cached is None else cached),
        "request": "0",
        "currency": "RUB",
        "version": price.version,
    }


def _per_token(micro_rub_per_1k: int) -> str:
    return f"{Decimal(micro_rub_per_1k).scaleb(-9).normalize():f}"


def _date(moment: datetime | None) -> str | None:
    return None if moment is None else moment.date().isoformat()
