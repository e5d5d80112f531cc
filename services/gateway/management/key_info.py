"""GET /v1/auth/key: what the key that asks may do, and what it spent."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends

from servicekit.clock import Clock
from services.gateway.admission.request import Budget, BudgetPeriod
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
        subject = f"key:{caller.key_id}" if caller.key_id else f"grant:{caller.grant_id}"
        spent = await usage.get_spend(caller.user_id, subject, None, context.call)
        budget = next((budget for budget in caller.budgets if budget.subject == subject), None)
        remaining = None
        if budget is not None:
            in_period = spent
            if budget.period is not BudgetPeriod.TOTAL:
                since = _period_start(clock, budget)
                in_period = await usage.get_spend(caller.user_id, subject, since, context.call)
            remaining = max(0, budget.limit_micro_rub - in_period)
        return {"data": key_body(caller, spent, budget, remaining)}

    return router


def _period_start(clock: Clock, budget: Budget) -> Any:
    midnight = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if budget.period is BudgetPeriod.DAY else midnight.replace(day=1)


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
