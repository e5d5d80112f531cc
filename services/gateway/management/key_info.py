"""GET /v1/auth/key: what the key that asks may do, and what it spent."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends

from servicekit.clock import Clock
from services.gateway.admission.caps import Budget
from services.gateway.admission.periods import BudgetPeriod, moment, window_of
from services.gateway.clients.caller import Caller
from services.gateway.clients.usage import UsageClient
from services.gateway.edge.money import roubles
from services.gateway.edge.request_context import RequestContext, current_context
from services.gateway.identity.access import Needs, Open
from services.gateway.management.bodies import KeyBody

_INTERVAL = "1m"

NEEDS: Final[Needs] = {"/v1/auth/key": Open.ANY_CREDENTIAL}


def auth_key_router(usage: UsageClient, clock: Clock) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["keys"])

    @router.get("/v1/auth/key", response_model=KeyBody)
    async def get_key(context: Annotated[RequestContext, Depends(current_context)]) -> dict[str, Any]:
        """Return the label, spend, budget and limits of the key that asks."""
        caller = context.known_caller
        # A rotated key and an application that was authorized again spend on: this is what their budget counts.
        subject = f"key:{caller.counted_key_id}" if caller.key_id else f"grant:{caller.grant_id}"
        spent = await usage.get_spend(caller.user_id, subject, None, None, context.call)
        budget, remaining = caller.own_budget, None
        if budget is not None:
            in_period = spent
            if budget.period is not BudgetPeriod.TOTAL:
                since, until = _period(clock, budget, caller.time_zone)
                in_period = await usage.get_spend(caller.user_id, subject, since, until, context.call)
            remaining = max(0, budget.limit_micro_rub - in_period)
        if caller.from_1_0:
            # 1.0 counted by account, and showed that with each of its keys. No budget of the key did.
            spent += await usage.get_spend(caller.user_id, f"unkeyed:{caller.user_id}", None, None, context.call)
        return {"data": key_body(caller, spent, budget, remaining)}

    return router


def _period(clock: Clock, budget: Budget, zone: str) -> tuple[datetime | None, datetime | None]:
    """Return beginning and end of the budget's current period in the owner's zone."""
    window = window_of(budget.period, zone, int(clock.now().timestamp()))
    return (None, None) if window is None else (moment(window.starts_s), moment(window.ends_s))


def key_body(caller: Caller, spent: int, budget: Budget | None, remaining: int | None) -> dict[str, Any]:
    """Return the key as release 1.0 shows it, and more."""
    user, key = caller.limits.user, caller.limits.key
    return {
        "label": caller.key_name,
        "usage": spent / 1e6,
        "usage_rub": roubles(spent),
        "limit": None if budget is None else budget.limit_micro_rub / 1e6,
        "limit_remaining": None if remaining is None else remaining / 1e6,
        "is_free_tier": caller.tier == "free",
        "tier": caller.tier,
        "scopes": sorted(caller.scopes),
        "models": sorted(caller.models),
        "expires_at": caller.expires_at.isoformat() if caller.expires_at else None,
        "rate_limit": {
            "requests": _tighter(user.requests_per_minute, key.requests_per_minute),
            "interval": _INTERVAL,
            "requests_per_day": _tighter(user.requests_per_day, key.requests_per_day),
            "tokens_per_minute": _tighter(user.tokens_per_minute, key.tokens_per_minute),
            "concurrent_requests": _tighter(user.concurrent_requests, key.concurrent_requests),
        },
    }


def _tighter(user: int, key: int) -> int | None:
    """Return the smaller limit; 0 means none."""
    return min((limit for limit in (user, key) if limit), default=None)
