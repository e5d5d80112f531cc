"""How budgets stand: what is spent and held of them, and when they begin anew."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from servicekit.clock import Clock
from servicekit.fairness.shares import Shares
from services.gateway.admission.caps import QUOTA_SUBJECT, CapMode
from services.gateway.admission.dimensions import RATES, Dimension
from services.gateway.admission.keys import CountedSpan, budget_key, owner_of_counter, parse_budget_key
from services.gateway.admission.periods import DAY_S, BudgetPeriod, moment
from services.gateway.admission.redis.counts import RedisCounts
from services.gateway.clients.budgets.client import CapView

COST: Final = "cost"
DAY: Final = "day"
DIMENSIONS: Final = {row.setting: row.name for row in RATES}
# An account may have a thousand budgets of keys and applications: one after the other they would take seconds.
AT_ONCE: Final = 8
SpendOf = Callable[[str, str, datetime | None, datetime | None], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Standing:
    """A cap and how it stands, in its units.

    Attributes:
        used: what was spent or taken; None: not told.
        held: what running requests hold.
        resets_at: when it begins anew; None: never, or all the time.
        would_have_refused: of a cap that only watches.
    """

    cap: CapView
    used: int | None
    held: int
    resets_at: datetime | None
    would_have_refused: int | None

    @property
    def remaining(self) -> int | None:
        """Return what is left of it, nothing when it is exceeded; None: not told."""
        return None if self.used is None else max(0, self.cap.amount - self.used - self.held)

    @property
    def state(self) -> str:
        """Return "ok", "near" when 80 % are used, or "reached"."""
        taken = (self.used or 0) + self.held
        if taken >= self.cap.amount:
            return "reached"
        return "near" if taken * 10 >= self.cap.amount * 8 else "ok"


class Standings:
    """Tells how caps stand: as Redis counts, or where it has no counter as the usage service sums."""

    def __init__(self, counts: RedisCounts, spend_of: SpendOf, clock: Clock) -> None:
        self._counts = counts
        self._spend_of = spend_of
        self._clock = clock
        # Over all requests of an owner: a hundred of them at once ask no more than one.
        self._shares = Shares(AT_ONCE)

    async def of(self, caps: Sequence[CapView]) -> list[Standing]:
        """Return how these stand now.

        Raises:
            ServiceError: the usage service does not say what was spent.
        """
        now_s = int(self._clock.now().timestamp())
        keys = [_counter(cap, now_s) for cap in caps if cap.measure == COST]
        counted = await self._counts.of_budgets(list(dict.fromkeys(keys)))
        spent = {key: (count.spent, count.held) for key, count in counted.items()}
        subjects = dict(zip(keys, [cap.subject for cap in caps if cap.measure == COST], strict=True))
        spent |= await self._summed({key: subject for key, subject in subjects.items() if key not in spent})
        taken = await self._taken(caps, now_s)
        refused = await self._refused(caps)
        return [self._one(cap, spent, taken, refused, now_s) for cap in caps]

    async def _summed(self, subjects: Mapping[str, str]) -> dict[str, tuple[int, int]]:
        """Return what was spent where Redis counts nothing: on the first of a month that is all there is."""
        found: dict[str, tuple[int, int]] = {}
        asked = list(subjects.items())
        for at in range(0, len(asked), AT_ONCE):
            some = asked[at : at + AT_ONCE]
            sums = await asyncio.gather(*(self._sum(parse_budget_key(key), subject) for key, subject in some))
            found |= {key: (cost, 0) for (key, _), cost in zip(some, sums, strict=True)}
        return found

    async def _sum(self, span: CountedSpan, subject: str) -> int:
        async with self._shares.one_of(span.user_id or subject):
            return await self._spend_of(span.user_id, subject, span.since, span.until)

    async def _taken(self, caps: Sequence[CapView], now_s: int) -> dict[str, int]:
        """Return what was taken of daily quotas, by id."""
        found: dict[str, int] = {}
        daily = [cap for cap in caps if cap.measure != COST and cap.period == DAY]
        for owner in {cap.user_id for cap in daily}:
            names = [(f"{QUOTA_SUBJECT}{cap.id}", _dimension(cap)) for cap in daily if cap.user_id == owner]
            found |= await self._counts.of_quotas(owner, names, now_s)
        return {name.removeprefix(QUOTA_SUBJECT): count for name, count in found.items()}

    async def _refused(self, caps: Sequence[CapView]) -> dict[str, int]:
        watching = [cap for cap in caps if cap.mode is CapMode.SHADOW]
        found: dict[str, int] = {}
        for owner in {cap.user_id or cap.subject for cap in watching}:
            ids = [cap.id for cap in watching if (cap.user_id or cap.subject) == owner]
            found |= await self._counts.would_have_refused(owner, ids)
        return found

    @staticmethod
    def _one(
        cap: CapView, spent: dict[str, tuple[int, int]], taken: dict[str, int], refused: dict[str, int], now_s: int
    ) -> Standing:
        would_have_refused = refused.get(cap.id, 0) if cap.mode is CapMode.SHADOW else None
        if cap.measure == COST:
            key = _counter(cap, now_s)
            used, held = spent[key]
            return Standing(cap, used, held, parse_budget_key(key).until, would_have_refused)
        if cap.period == DAY:
            resets_at = moment((now_s // DAY_S + 1) * DAY_S)
            return Standing(cap, taken.get(cap.id, 0), 0, resets_at, would_have_refused)
        return Standing(cap, None, 0, None, would_have_refused)


def _counter(cap: CapView, now_s: int) -> str:
    owner = owner_of_counter(cap.user_id, cap.subject)
    return budget_key(owner, cap.subject, BudgetPeriod[cap.period.upper()], cap.time_zone, now_s)


def _dimension(cap: CapView) -> Dimension:
    return DIMENSIONS[f"{cap.measure}_per_{cap.period}"]
