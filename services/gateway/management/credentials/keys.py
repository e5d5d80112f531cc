"""/v1/keys: API keys for their owner. Auth refuses a key that may do more than its maker."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query

from services.gateway.admission.periods import BudgetPeriod
from services.gateway.clients.account_views import IssuedKey, KeyView, NewKey
from services.gateway.clients.auth import AuthClient
from services.gateway.clients.caller import Caller
from services.gateway.clients.catalog import Catalog, CatalogWatch
from services.gateway.edge.reading.json_body import invalid_field, json_of
from services.gateway.edge.request_context import Context
from services.gateway.identity.access import Needs, Scope
from services.gateway.identity.step_up import StepUp
from services.gateway.management.bodies import (
    BudgetBody,
    CacheDefault,
    KeyList,
    KeyMade,
    KeyOrderBody,
    Period,
    RevokedBody,
    RotationBody,
)
from services.gateway.settings import CacheSettings

PERIODS: Final[dict[Period, BudgetPeriod]] = {
    "day": BudgetPeriod.DAY,
    "month": BudgetPeriod.MONTH,
    "total": BudgetPeriod.TOTAL,
}
PERIOD_NAMES: Final = {period: name for name, period in PERIODS.items()}

NEEDS: Final[Needs] = {
    "GET /v1/keys": Scope.KEYS_READ,
    "POST /v1/keys": Scope.KEYS_WRITE,
    "POST /v1/keys/{key_id}/rotate": Scope.KEYS_WRITE,
    "DELETE /v1/keys/{key_id}": Scope.KEYS_WRITE,
}


def keys_router(auth: AuthClient, catalog: CatalogWatch, step_up: StepUp, cache: CacheSettings) -> APIRouter:
    """Return the routes; the models of new keys are those of the catalogue. Making one needs a recent proof."""
    router = APIRouter(tags=["keys"])

    @router.get("/v1/keys", response_model=KeyList)
    async def list_keys(
        context: Context,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
        page: Annotated[str, Query(max_length=512)] = "",
    ) -> dict[str, Any]:
        """List the keys, newest first, without their secrets."""
        context.call_field("page_token", "page")
        keys, following = await auth.list_keys(context.known_caller.user_id, context.call, size=limit, page=page)
        return {"data": [key_body(key) for key in keys], "next_page": following or None}

    @router.post("/v1/keys", response_model=KeyMade, status_code=201)
    async def create_key(
        context: Context, order: Annotated[KeyOrderBody, Depends(json_of(KeyOrderBody))]
    ) -> dict[str, Any]:
        """Make a key. Its secret is in this answer and nowhere else."""
        caller = context.known_caller
        step_up.check(caller)
        models = known_models(order.models, catalog.current(), caller) if order.models else ()
        wanted = order_of(order, models, cache.most_ttl_s)
        return made_body(await auth.create_key(caller.user_id, wanted, context.call, maker=caller))

    @router.post("/v1/keys/{key_id}/rotate", response_model=KeyMade, status_code=201)
    async def rotate_key(
        context: Context, key_id: str, rotation: Annotated[RotationBody, Depends(json_of(RotationBody))]
    ) -> dict[str, Any]:
        """Make a key like this one; the old one goes on working for `overlap_s` seconds."""
        caller = context.known_caller
        step_up.check(caller)
        issued = await auth.rotate_key(caller.user_id, key_id, rotation.overlap_s, context.call, maker=caller)
        return made_body(issued)

    @router.delete("/v1/keys/{key_id}", response_model=RevokedBody)
    async def revoke_key(context: Context, key_id: str) -> dict[str, Any]:
        """End a key on every gateway. Doing it again changes nothing."""
        await auth.revoke_key(context.known_caller.user_id, key_id, context.call)
        return {"id": key_id}

    return router


def known_models(names: list[str], catalog: Catalog, maker: Caller) -> tuple[str, ...]:
    """Return the models of a list by their ids, or as the maker's own list spells them: auth compares letters.

    Raises:
        InvalidRequest: the catalogue has no such model; a key for it would refuse everything.
    """
    found: dict[str, None] = {}
    for at, name in enumerate(names):
        model = catalog.find(name)
        if model is None:
            raise invalid_field(f"models[{at}]", f"The model `{name[:128]}` does not exist. See GET /v1/models")
        held = (spelling for spelling in (model.id, *model.aliases) if spelling in maker.models)
        found[next(held, model.id)] = None
    return tuple(found)


def order_of(body: KeyOrderBody, models: tuple[str, ...], most_ttl_s: int) -> NewKey:
    """Return the order of a request body, for models that the catalogue knows.

    Raises:
        InvalidRequest: a moment without a time zone; answers that would be cached too long.
    """
    return NewKey(
        name=body.name,
        scopes=tuple(body.scopes),
        models=models,
        ip_allow_list=tuple(body.ip_allow_list),
        expires_at=expiry_of(body.expires_at),
        budget_micro_rub=body.budget.limit_micro_rub if body.budget else 0,
        budget_period=PERIODS[body.budget.period] if body.budget else None,
        cache_ttl_s=cache_ttl_of(body.cache, most_ttl_s),
    )


def expiry_of(given: datetime | None) -> datetime | None:
    """Return the end of a key in UTC.

    Raises:
        InvalidRequest: it has no time zone.
    """
    if given is not None and given.tzinfo is None:
        raise invalid_field("expires_at", "Give the time zone, as in 2027-01-31T00:00:00Z")
    return given and given.astimezone(UTC)


def cache_ttl_of(given: CacheDefault | None, most_ttl_s: int) -> int | None:
    """Return the seconds as auth keeps them: None of a key that has no part in the cache, 0 of what the server has.

    Raises:
        InvalidRequest: longer than any request may ask for.
    """
    if given is None or given.mode == "off":
        return None
    if given.ttl_s is not None and given.ttl_s > most_ttl_s:
        raise invalid_field("cache.ttl_s", f"An answer is cached for at most {most_ttl_s} seconds")
    return given.ttl_s or 0


def cache_default_of(ttl_s: int | None) -> CacheDefault:
    """Return the part in the cache that a key has, as lists show it."""
    return CacheDefault(mode="off") if ttl_s is None else CacheDefault(mode="on", ttl_s=ttl_s or None)


def budget_body(limit_micro_rub: int, period: BudgetPeriod | None) -> BudgetBody | None:
    """Return a cap as the API shows it."""
    if not limit_micro_rub or period is None:
        return None
    return BudgetBody.model_construct(limit_micro_rub=limit_micro_rub, period=PERIOD_NAMES[period])


def key_body(key: KeyView) -> dict[str, Any]:
    """Return a key as lists show it."""
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "last_four": key.last_four,
        "scopes": list(key.scopes),
        "models": list(key.models),
        "ip_allow_list": list(key.ip_allow_list),
        "budget": budget_body(key.budget_micro_rub, key.budget_period),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
        "disabled": key.disabled,
        "cache": cache_default_of(key.cache_ttl_s),
        "first_key_id": key.lineage_id,
    }


def made_body(issued: IssuedKey) -> dict[str, Any]:
    """Return a fresh key, this once with its secret."""
    return {**key_body(issued.key), "key": issued.secret}
