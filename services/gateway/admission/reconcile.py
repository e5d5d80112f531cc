"""Budget counters at rest are compared with stored usage and corrected.

Rebuilding after a lost Redis can miss rows that were still on their way, so `used` may be too low for a while: it is
raised as soon as the stored rows say more. It is lowered only when the same difference has been seen twice with nothing
spent between, because rows may still lie in the journal of some gateway. They may lie there for longer than that (the
usage service is away), and then a counter that is found right is wrong when they arrive: one that does not move is
looked at again, ever more rarely.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from servicekit.clock import Clock
from servicekit.errors import ServiceError, name_of
from servicekit.once.single_use import Claims
from services.gateway.admission import metrics
from services.gateway.admission.budgets import SpendOf
from services.gateway.admission.keys import BUDGETS_PATTERN, details_key, parse_budget_key
from services.gateway.admission.redis.running import RedisLost, RunsScripts
from services.gateway.admission.redis.scripts import RECONCILE
from services.gateway.admission.wire import ReconcileCall, pack

log = structlog.get_logger()

LOCK = "gw:elected:reconcile"

# A counter at rest is looked at after 1, 2, 4, 8, 12, 12 ... rounds.
LONGEST_REST = 12


@dataclass(frozen=True, slots=True)
class Rest:
    """A counter that was found right, and how many rounds it is left alone as long as it does not move."""

    used: int
    rounds: int
    next_round: int


class Reconciler:
    """Looks at every budget counter that moved since it was last found right, and now and then at the others."""

    def __init__(self, client: Redis, runner: RunsScripts, spend_of: SpendOf, *, clock: Clock, every_s: float) -> None:
        self._client = client
        self._claims = Claims(client)
        self._runner = runner
        self._spend_of = spend_of
        self._clock = clock
        self._every_s = every_s
        self._right: dict[str, Rest] = {}
        self._round = 0
        self._too_high: dict[str, tuple[int, int]] = {}

    async def serve(self) -> None:
        """Reconcile, one gateway at a time, for ever; cancel it to stop."""
        while True:
            await self._clock.sleep(self._every_s)
            try:
                # Whoever is first does it; the lock runs out by itself before the next round.
                if await self._claims.claim(LOCK, ttl_s=self._every_s * 0.9):
                    await self.run_once()
            except (RedisError, RedisLost, OSError, TimeoutError, ServiceError) as exc:
                log.warning("admission.reconcile_missed", error=name_of(exc))

    async def run_once(self) -> int:
        """Compare and correct; return how many counters were corrected."""
        corrected = 0
        self._round += 1
        seen: set[str] = set()
        async for raw in self._client.scan_iter(match=BUDGETS_PATTERN, count=1000, _type="hash"):
            key = raw.decode() if isinstance(raw, bytes) else str(raw)
            seen.add(key)
            corrected += await self._check(key)
        for memory in (self._right, self._too_high):
            for gone in memory.keys() - seen:
                del memory[gone]
        return corrected

    async def _check(self, key: str) -> bool:
        counters = await self._client.hmget(key, ["u", "h", "r"])
        used, held = (int(value or 0) for value in counters[:2])
        if counters[0] is None or held or self._rests(key, used):
            return False
        span = parse_budget_key(key)
        spent = await self._spend_of(span.user_id, span.subject, span.since, span.until)
        if spent == used:
            self._let_rest(key, used)
            self._too_high.pop(key, None)
            return False
        if spent < used and self._too_high.get(key) != (used, spent):
            self._too_high[key] = (used, spent)
            return False
        if await self._runner.run(RECONCILE, details_key(span.user_id), pack(ReconcileCall(key, used, spent))):
            self._too_high.pop(key, None)
            # Nothing was counted since it was corrected last: its budget was removed, and is no fault each round.
            if counters[2] is None or int(counters[2]) != used:
                metrics.RECONCILED.inc()
                subject = span.subject.partition(":")[0]
                log.warning("admission.budget_corrected", subject=subject, difference=spent - used)
            return True
        return False

    def _rests(self, key: str, used: int) -> bool:
        rest = self._right.get(key)
        return rest is not None and rest.used == used and self._round < rest.next_round

    def _let_rest(self, key: str, used: int) -> None:
        rest = self._right.get(key)
        rounds = min(LONGEST_REST, rest.rounds * 2) if rest is not None and rest.used == used else 1
        self._right[key] = Rest(used, rounds, self._round + rounds)
