"""GET /v1/models, /v1/models/{id}, /v1/parameters/{model}: what the caller may use, and on demand the rest, marked."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi import Path as PathParam
from fastapi.responses import JSONResponse, Response

from servicekit.clock import Clock
from services.gateway.clients.catalog import CatalogWatch, DatedPrice, Model
from services.gateway.edge.request_context import Context, RequestContext
from services.gateway.identity.access import check_model, may_use
from services.gateway.inference.anthropic.entering import speaks_anthropic
from services.gateway.inference.anthropic.model_list import model_info, model_page
from services.gateway.inference.routes.bodies import ModelBody, ModelList, ParametersBody
from services.gateway.metering.usage_record import Price

# Medians of what callers of a chat API give when a catalogue says nothing: OpenAI's own defaults.
_MEDIANS: Final = {"temperature": 1.0, "top_p": 1.0, "frequency_penalty": 0.0, "presence_penalty": 0.0}
# The catalogue's own word for prices that always held.
_SINCE_EVER: Final = datetime(2020, 1, 1, tzinfo=UTC)
ModelIdInPath = Annotated[str, PathParam(description="A model id or alias: `yandexgpt:latest`, `gigachat/pro`.")]

Limit = Annotated[int, Query(ge=1, le=1000, description="Of Anthropic's clients: models on a page.")]
All = Annotated[bool, Query(alias="all", description="Also models that the credential may not use.")]


def models_router(catalog: CatalogWatch, clock: Clock) -> APIRouter:
    """Return the routes; they read the snapshot in memory."""
    router = APIRouter(tags=["models"])

    @router.get("/v1/models", response_model=ModelList)
    async def list_models(
        context: Context,
        include_all: All = False,
        supported_parameters: Annotated[
            str | None, Query(description="Only models that take all of these, comma-separated.")
        ] = None,
        limit: Limit = 20,
        after_id: str | None = None,
        before_id: str | None = None,
    ) -> dict[str, Any] | Response:
        """List the models that the credential may use, with their prices, limits and lifecycle.

        To one of Anthropic's clients (`anthropic-version`) in its shape, a page at a time: `limit`, `after_id` and
        `before_id` are its.
        """
        wanted = {name.strip() for name in (supported_parameters or "").split(",") if name.strip()}
        now = clock.now()
        models = [model for model in catalog.current().models if wanted <= set(model.supported_parameters)]
        marked = [(model, may_use(context.known_caller, model)) for model in models]
        shown = [model_body(model, now, allowed=allowed) for model, allowed in marked if allowed or include_all]
        if speaks_anthropic(context.scope):
            infos = [model_info(model, _created_at(model), now) for model, allowed in marked if allowed or include_all]
            return JSONResponse(model_page(infos, limit=limit, after_id=after_id, before_id=before_id))
        return {"object": "list", "data": shown}

    @router.get("/v1/models/{model_id:path}", response_model=ModelBody)
    async def get_model(
        context: Context, model_id: ModelIdInPath, include_all: All = False
    ) -> dict[str, Any] | Response:
        """Return one model; ids may have colons and slashes."""
        model = _shown(catalog, context, model_id, include_all)
        if speaks_anthropic(context.scope):
            return JSONResponse(model_info(model, _created_at(model), clock.now()))
        return model_body(model, clock.now(), allowed=may_use(context.known_caller, model))

    @router.get("/v1/parameters/{model_id:path}", response_model=ParametersBody)
    async def get_parameters(context: Context, model_id: ModelIdInPath, include_all: All = False) -> dict[str, Any]:
        """Return the parameters a model takes, and their medians."""
        model = _shown(catalog, context, model_id, include_all)
        medians = {f"{name}_p50": model.default_parameters.get(name, value) for name, value in _MEDIANS.items()}
        return {"data": {"model": model.id, "supported_parameters": list(model.supported_parameters), **medians}}

    return router


def _shown(catalog: CatalogWatch, context: RequestContext, model_id: str, include_all: bool) -> Model:
    """Return a model that may be shown: what a request for an answer would be refused, is refused here."""
    model = catalog.current().get(model_id)
    if not include_all:
        check_model(context.known_caller, model)
    return model


def model_body(model: Model, now: datetime, *, allowed: bool) -> dict[str, Any]:
    """Return a model as the API shows it; `allowed`: the credential may use it."""
    return {
        "id": model.id,
        "object": "model",
        "created": int(_created_at(model).timestamp()),
        "owned_by": model.provider,
        "name": model.name,
        "description": model.description,
        "provider": model.provider,
        "version": model.version,
        "kind": model.kind,
        "type": model.kind,
        "resolved_model": model.resolved_model,
        "resolved_since": _date(model.resolved_since),
        "aliases": list(model.aliases),
        "pricing": _pricing(model, now),
        "price_history": [_dated(dated) for dated in model.prices],
        "context_length": model.context_length or None,
        "architecture": _architecture(model),
        "limits": {
            "context_length": model.context_length or None,
            "max_completion_tokens": model.max_output_tokens or None,
        },
        "supported_features": list(model.supported_features),
        "supported_parameters": list(model.supported_parameters),
        "default_parameters": dict(model.default_parameters),
        "lifecycle": _lifecycle(model, now),
        "shutdown_date": _date(model.shutdown_at),
        "allowed": allowed,
    }


def _lifecycle(model: Model, now: datetime) -> dict[str, Any]:
    deprecated = model.deprecated_at is not None and model.deprecated_at <= now
    return {
        "status": "deprecated" if deprecated else "candidate" if model.version == "rc" else "active",
        "deprecated": deprecated,
        "deprecation_date": _date(model.deprecated_at),
        "deprecated_at": None if model.deprecated_at is None else model.deprecated_at.isoformat(),
        "shutdown_date": _date(model.shutdown_at),
        "successor": model.successor or None,
    }


def _created_at(model: Model) -> datetime:
    """Return when a model began, or its first price: clients sort by it, and 0 is a lie."""
    return model.created_at or min((dated.valid_from for dated in model.prices), default=_SINCE_EVER)


def _architecture(model: Model) -> dict[str, Any]:
    """Say what goes in and out, in the words of OpenRouter; vectors are no text."""
    given, _, made = model.modality.partition("->")
    modality = model.modality if model.kind == "chat" else f"{given}->embedding"
    return {
        "modality": modality,
        "input_modalities": given.split("+"),
        "output_modalities": made.split("+") if model.kind == "chat" else ["embeddings"],
        "tokenizer": model.provider,
        "instruct_type": None,
    }


def _pricing(model: Model, now: datetime) -> dict[str, str] | None:
    price = model.known_price_at(now)
    if price is None:
        return None
    return {**_parts(price), "request": "0", "currency": "RUB"}


def _parts(price: Price) -> dict[str, str]:
    cached = price.cached_micro_rub_per_1k
    return {
        "prompt": _per_token(price.input_micro_rub_per_1k),
        "completion": _per_token(price.output_micro_rub_per_1k),
        "cached_prompt": _per_token(price.input_micro_rub_per_1k if cached is None else cached),
        "version": price.version,
    }


def _dated(dated: DatedPrice) -> dict[str, str]:
    """Return a price with its day; prices to come are known, too."""
    return {"valid_from": dated.valid_from.date().isoformat(), **_parts(dated.price)}


def _per_token(micro_rub_per_1k: int) -> str:
    return f"{Decimal(micro_rub_per_1k).scaleb(-9).normalize():f}"


def _date(moment: datetime | None) -> str | None:
    return None if moment is None else moment.date().isoformat()
