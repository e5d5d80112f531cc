"""What the credential that asks has spent: as Redis counts it, or, the first time, as the usage service sums it."""

from __future__ import annotations

from collections.abc import Callable

from servicekit.call import CallContext
from servicekit.clock import Clock
from services.gateway.admission.caps import Budget
from services.gateway.admission.keys import budget_key, parse_budget_key, tally_key
from services.gateway.admission.redis.counts import RedisCounts
from services.gateway.clients.caller import Caller
from services.gateway.clients.usage import UsageClient

BeginCounting = Callable[[str, str], None]
"""(spender, user id): have what it spends counted from now on."""


class Spent:
    """Answers at once for whoever has asked before: the counter goes on as admission settles."""

    def __init__(self, counts: RedisCounts, usage: UsageClient, begin_counting: BeginCounting, clock: Clock) -> None:
        self._counts = counts
        self._usage = usage
        self._begin_counting = begin_counting
        self._clock = clock

    async def of(self, caller: Caller, budget: Budget | None, call: CallContext) -> tuple[int, int]:
        """Return what the caller's key or grant spent in all, and in the running period of its budget; micro-roubles.

        Raises:
            ServiceError: Redis does not count it, and the usage service does not say.
        """
        ever = tally_key(caller.user_id, caller.spender)
        lately = ever if budget is None else self._period_key(caller, budget)
        counted = await self._counts.of_budgets(list(dict.fromkeys((ever, lately))))
        if ever not in counted:
            self._begin_counting(caller.spender, caller.user_id)
        spent = {key: count.spent for key, count in counted.items()}
        for key in (ever, lately):
            if key not in spent:
                span = parse_budget_key(key)
                asked = (caller.user_id, caller.spender, span.since, span.until)
                spent[key] = await self._usage.get_spend(*asked, call)
        return spent[ever], spent[lately]

    def _period_key(self, caller: Caller, budget: Budget) -> str:
        zone = budget.time_zone or caller.time_zone
        return budget_key(caller.user_id, caller.spender, budget.period, zone, int(self._clock.now().timestamp()))
