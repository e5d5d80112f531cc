"""GET /v1/auth/key: what the key that asks may do, and what it has spent.

Spending is read from a counter in Redis; the first question of a key sums it up at the usage service.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter

from servicekit.call import CallContext
from servicekit.clock import Clock
from services.gateway.admission.caps import Budget
from services.gateway.admission.dimensions import LIMITED
from services.gateway.admission.keys import budget_key, parse_budget_key, tally_key
from services.gateway.admission.redis.counts import RedisCounts
from services.gateway.clients.caller import Caller
from services.gateway.clients.usage import UsageClient
from services.gateway.edge.money import roubles
from services.gateway.edge.request_context import Context
from services.gateway.identity.access import Needs, Open
from services.gateway.management.bodies import KeyBody

_INTERVAL = "1m"

NEEDS: Final[Needs] = {"/v1/auth/key": Open.ANY_CREDENTIAL}


BeginCounting = Callable[[str, str], None]
"""(spender, user id): have what it spends counted from now on."""


class Spent:
    """Reads what keys and grants have spent; after the first question from a counter that admission keeps."""

    def __init__(self, counts: RedisCounts, usage: UsageClient, begin_counting: BeginCounting, clock: Clock) -> None:
        self._counts = counts
        self._usage = usage
        self._begin_counting = begin_counting
        self._clock = clock

    async def of(self, caller: Caller, budget: Budget | None, call: CallContext) -> tuple[int, int]:
        """Return what the caller's key or grant spent in all, and what is taken of its budget; micro-roubles.

        Of the budget, what running requests hold is taken, too: nobody else can spend it now.

        Raises:
            ServiceError: Redis does not count it, and the usage service does not say.
        """
        ever = tally_key(caller.user_id, caller.spender)
        lately = ever if budget is None else self._period_key(caller, budget)
        counted = await self._counts.of_budgets(list(dict.fromkeys((ever, lately))))
        if ever not in counted:
            self._begin_counting(caller.spender, caller.user_id)
        spent = {key: count.spent for key, count in counted.items()}
        held = counted[lately].held if lately in counted else 0
        for key in (ever, lately):
            if key not in spent:
                span = parse_budget_key(key)
                asked = (caller.user_id, caller.spender, span.since, span.until)
                spent[key] = await self._usage.get_spend(*asked, call)
        return spent[ever] + await self._before(caller, call), spent[lately] + held

    async def _before(self, caller: Caller, call: CallContext) -> int:
        """Return what 1.0 counted: by account, and showed with each of its keys. No budget of the key did."""
        if not caller.from_1_0:
            return 0
        return await self._usage.get_spend(caller.user_id, f"unkeyed:{caller.user_id}", None, None, call)

    def _period_key(self, caller: Caller, budget: Budget) -> str:
        zone = budget.time_zone or caller.time_zone
        return budget_key(caller.user_id, caller.spender, budget.period, zone, int(self._clock.now().timestamp()))


def auth_key_router(spent: Spent) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["keys"])

    @router.get("/v1/auth/key", response_model=KeyBody)
    async def get_key(context: Context) -> dict[str, Any]:
        """Return the label, spend, budget and limits of the key that asks."""
        caller = context.known_caller
        budget = caller.own_budget
        ever, taken = await spent.of(caller, budget, context.call)
        remaining = None if budget is None else max(0, budget.limit_micro_rub - taken)
        return {"data": key_body(caller, ever, budget, remaining)}

    return router


def key_body(caller: Caller, spent: int, budget: Budget | None, remaining: int | None) -> dict[str, Any]:
    """Return the key as release 1.0 shows it, and more."""
    user, key = caller.limits.user, caller.limits.key
    limits = {row.setting: _tighter(getattr(user, row.setting), getattr(key, row.setting)) for row in LIMITED}
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
            "requests": limits.pop("requests_per_minute"),
            "interval": _INTERVAL,
            **limits,
        },
    }


def _tighter(user: int, key: int) -> int | None:
    """Return the smaller limit; 0 means none."""
    return min((limit for limit in (user, key) if limit), default=None)
