"""Raises budget events: a share was spent, a budget will run out on a day, or has room again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from servicekit.clock import Clock, day_nearest
from services.usage.domain.spend import start_of
from services.usage.forecasting.domain.radii import HORIZON_MAX
from services.usage.notifications.domain.event import Happening
from services.usage.notifications.domain.kinds import EventKind
from services.usage.notifications.domain.person import Person, WatchedBudget
from services.usage.notifications.domain.rule import Rule
from services.usage.notifications.domain.watch import (
    PACE,
    SPENT,
    Foretells,
    Reached,
    bounds_of,
    highest_reached,
    reached_at,
)
from services.usage.notifications.domain.wording import roubles, zone_of
from services.usage.notifications.raising import Events
from services.usage.notifications.store.events import EventStore
from services.usage.notifications.store.spending import SpendingReader

FORETOLD_EVERY_S: Final = 3600.0
MOST_FORETOLD: Final = 20_000

_Share: TypeAlias = tuple[int, int]
"""What was told once: of which amount in micro-roubles, and which share of it."""


class BudgetWatch:
    """Compares budgets with exact sums, and raises events."""

    def __init__(
        self, events: Events, store: EventStore, spending: SpendingReader, foretell: Foretells, *, clock: Clock
    ) -> None:
        self._events = events
        self._store = store
        self._spending = spending
        self._foretell = foretell
        self._clock = clock
        # When each was foretold last, by the clock that is never put back. Another instance foretells anew, and tells
        # nothing twice.
        self._foretold: OrderedDict[str, float] = OrderedDict()

    async def look(
        self, person: Person, budget: WatchedBudget, rules: Sequence[Rule], beside: Sequence[WatchedBudget] = ()
    ) -> None:
        """Look at one budget for the rules that are about it; `beside` are all that the person has."""
        rules = [rule for rule in rules if rule.is_about(budget.subject)]
        if not rules:
            return
        spent = await self._spent(person.user_id, budget, budget.starts_at)
        facts = _facts(budget, spent)
        of_shares = [rule for rule in rules if rule.says.kind is EventKind.BUDGET_THRESHOLD]
        others = {each.limit_micro_rub for each in beside if _is_beside(each, budget)}
        for rule, told in await self._told(person.user_id, of_shares, budget):
            await self._look_at_shares(rule, budget, spent, facts, told)
            if budget.limit_micro_rub == _tightest({budget.limit_micro_rub, *others}, spent):
                await self._look_for_recovery(rule, budget, facts, told, others)
        for rule in rules:
            if rule.says.kind is EventKind.BUDGET_FORECAST:
                await self._look_ahead(rule, person, budget, spent)

    async def _told(self, user_id: str, rules: Sequence[Rule], budget: WatchedBudget) -> list[tuple[Rule, set[_Share]]]:
        """Return each rule with what it told of a budget's subject in this period: of which amounts which shares.

        All rules are asked for at once: a user may have fifty, and a thousand budgets.
        """
        if not rules:
            return []
        ids, start = [rule.id for rule in rules], _period_key(budget)
        told = await self._store.told_like(user_id, ids, EventKind.BUDGET_THRESHOLD, start)
        return [(rule, {_share_of(key) for key in told.get(rule.id, ())}) for rule in rules]

    async def _look_at_shares(
        self, rule: Rule, budget: WatchedBudget, spent: int, facts: dict[str, Any], told: set[_Share]
    ) -> None:
        reached = highest_reached(rule.says.thresholds, spent, budget.limit_micro_rub)
        # The highest that was told: what was held and is given back tells no lower one.
        highest = max((share for limit, share in told if limit == budget.limit_micro_rub), default=0)
        if reached is not None and reached > highest:
            happening = Happening(
                rule.user_id,
                EventKind.BUDGET_THRESHOLD,
                _key(budget, str(reached)),
                {**facts, "threshold": reached},
                subject=budget.subject,
                ignores_pause=reached >= SPENT,
            )
            await self._events.raise_by(rule, happening)

    async def _look_for_recovery(
        self, rule: Rule, budget: WatchedBudget, facts: dict[str, Any], told: set[_Share], others: set[int]
    ) -> None:
        """Tell whoever was told that the budget is spent in this period that it is not, since it was raised.

        Where several budgets have one subject and period, what was told of an amount that another one still has is
        that one's: a soft budget that is spent says nothing of the hard one above it.
        """
        if not {limit for limit, share in told if share == SPENT} - others:
            return
        happening = Happening(
            rule.user_id,
            EventKind.BUDGET_RECOVERED,
            _key(budget, "recovered"),
            facts,
            subject=budget.subject,
            ignores_pause=True,
        )
        await self._events.raise_by(rule, happening)

    async def _look_ahead(self, rule: Rule, person: Person, budget: WatchedBudget, spent: int) -> None:
        key = _key(budget, "forecast")
        if await self._store.told(rule.user_id, rule.id, [key]):
            return
        found = await self._reached(person, budget, spent)
        if found is not None:
            facts = _facts(budget, spent) | _dates(found, person)
            happening = Happening(rule.user_id, EventKind.BUDGET_FORECAST, key, facts, subject=budget.subject)
            await self._events.raise_by(rule, happening)

    async def _reached(self, person: Person, budget: WatchedBudget, spent: int) -> Reached | None:
        """Return when the budget is spent, if that is before it ends. What is spent by now is told by its shares."""
        if spent >= budget.limit_micro_rub:
            return None
        if budget.subject == f"user:{person.user_id}":
            return await self._by_forecast(person, budget, spent)
        now = self._clock.now()
        halves = await self._halves(person.user_id, budget)
        since = now - PACE if min(halves) <= 0 else max(now - PACE, await self._begin(person.user_id, budget))
        moment = reached_at(budget.limit_micro_rub - spent, halves, now, since)
        ends_at = budget.ends_at or now + timedelta(days=HORIZON_MAX)
        return None if moment is None or moment >= ends_at else Reached(moment)

    async def _by_forecast(self, person: Person, budget: WatchedBudget, spent: int) -> Reached | None:
        """Ask the room that has days of an account, bands and coming prices; once an hour."""
        if not self._is_due(f"{person.user_id}|{_key(budget, '')}"):
            return None
        zone = zone_of(person.time_zone)
        dates = await self._foretell(
            person.user_id,
            str(zone),
            limit_micro_rub=budget.limit_micro_rub,
            spent_micro_rub=spent,
            ends_on=day_nearest(budget.ends_at, zone) if budget.ends_at else None,
        )
        return None if dates.on is None else Reached(bounds_of(dates.on, zone)[0], dates.earliest, dates.latest)

    def _is_due(self, key: str) -> bool:
        now, before = self._clock.monotonic(), self._foretold.get(key)
        if before is not None and now - before < FORETOLD_EVERY_S:
            return False
        self._foretold[key] = now
        self._foretold.move_to_end(key)
        if len(self._foretold) > MOST_FORETOLD:
            self._foretold.popitem(last=False)
        return True

    async def _begin(self, user_id: str, budget: WatchedBudget) -> datetime:
        """Return since when something may have been spent: days before the first request slow no pace down."""
        if budget.is_shared:
            return min(member.joined_at for member in budget.members)
        first = await self._spending.first_day(user_id, budget.subject)
        # None: what was summed just now is gone since; those sums are all that is known, and they span the pace.
        return self._clock.now() - PACE if first is None else start_of(first)

    async def _halves(self, user_id: str, budget: WatchedBudget) -> tuple[int, int]:
        now = self._clock.now()
        middle = now - PACE / 2
        older = await self._spent(user_id, budget, now - PACE, middle)
        return older, await self._spent(user_id, budget, middle)

    async def _spent(
        self, user_id: str, budget: WatchedBudget, since: datetime | None, until: datetime | None = None
    ) -> int:
        if budget.is_shared:
            return await self._spending.spent_by(budget.members, since, until)
        return (await self._spending.spent(user_id, budget.subject, since, until)).cost_micro_rub


def _is_beside(other: WatchedBudget, budget: WatchedBudget) -> bool:
    return _period_key(other) == _period_key(budget) and other.limit_micro_rub != budget.limit_micro_rub


def _tightest(limits: set[int], spent_micro_rub: int) -> int | None:
    """Return the amount of which there is least left, of those that are not spent; None: all are."""
    return min((limit for limit in limits if limit > spent_micro_rub), default=None)


def _period_key(budget: WatchedBudget) -> str:
    begin = budget.starts_at.isoformat() if budget.starts_at else "ever"
    return f"{budget.subject}|{budget.period}|{begin}|"


def _key(budget: WatchedBudget, what: str) -> str:
    """Return what is told once: a budget of another amount is another budget, and so is its next period."""
    return f"{_period_key(budget)}{budget.limit_micro_rub}|{what}"


def _share_of(key: str) -> _Share:
    limit, _, share = key.partition("|")
    return int(limit), int(share)


def _dates(reached: Reached, person: Person) -> dict[str, Any]:
    at = reached.at.astimezone(zone_of(person.time_zone))
    return {
        "reached_at": at.isoformat(),
        "reached_on": at.date().isoformat(),
        "earliest_on": reached.earliest.isoformat() if reached.earliest else None,
        "latest_on": reached.latest.isoformat() if reached.latest else None,
    }


def _facts(budget: WatchedBudget, spent_micro_rub: int) -> dict[str, Any]:
    return {
        "subject": budget.subject,
        "name": budget.name or budget.subject,
        "period": budget.period,
        "period_starts_at": budget.starts_at.isoformat() if budget.starts_at else None,
        "period_ends_at": budget.ends_at.isoformat() if budget.ends_at else None,
        "limit_rub": roubles(budget.limit_micro_rub),
        "limit_micro_rub": budget.limit_micro_rub,
        "spent_rub": roubles(spent_micro_rub),
        "spent_micro_rub": spent_micro_rub,
    }
