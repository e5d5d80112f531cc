"""Looks at budgets: shares that are spent, the day on which one will be, and that one has room again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from servicekit.clock import Clock
from services.usage.notifications.domain.event import Happening
from services.usage.notifications.domain.kinds import EventKind
from services.usage.notifications.domain.person import WatchedBudget
from services.usage.notifications.domain.rule import Rule
from services.usage.notifications.domain.watch import PACE, SPENT, highest_reached, reached_at
from services.usage.notifications.domain.wording import roubles
from services.usage.notifications.raising import Events
from services.usage.notifications.store.events import EventStore
from services.usage.notifications.store.spending import SpendingReader

# Of a budget that never ends a forecast further away than this says nothing.
FORECAST_DAYS: Final = 31


class BudgetWatch:
    """Compares budgets with exact sums, and has rules tell."""

    def __init__(self, events: Events, store: EventStore, spending: SpendingReader, *, clock: Clock) -> None:
        self._events = events
        self._store = store
        self._spending = spending
        self._clock = clock

    async def look(self, user_id: str, budget: WatchedBudget, rules: Sequence[Rule]) -> None:
        """Look at one budget for the rules that are about it."""
        rules = [rule for rule in rules if rule.is_about(budget.subject)]
        if not rules:
            return
        spent = await self._spent(user_id, budget, budget.starts_at)
        facts = _facts(budget, spent)
        for rule in rules:
            if rule.says.kind is EventKind.BUDGET_THRESHOLD:
                await self._look_at_shares(rule, budget, spent, facts)
            elif rule.says.kind is EventKind.BUDGET_FORECAST:
                await self._look_ahead(rule, budget, spent, facts)

    async def _look_at_shares(self, rule: Rule, budget: WatchedBudget, spent: int, facts: dict[str, Any]) -> None:
        reached = highest_reached(rule.says.thresholds, spent, budget.limit_micro_rub)
        if reached is not None:
            happening = Happening(
                rule.user_id,
                EventKind.BUDGET_THRESHOLD,
                _key(budget, str(reached)),
                {**facts, "threshold": reached},
                subject=budget.subject,
                ignores_pause=reached >= SPENT,
            )
            await self._events.raise_by(rule, happening)
        if spent < budget.limit_micro_rub:
            await self._look_for_recovery(rule, budget, facts)

    async def _look_for_recovery(self, rule: Rule, budget: WatchedBudget, facts: dict[str, Any]) -> None:
        """Tell whoever was told that the budget is spent in this period that it is not, since it was raised."""
        was_spent = await self._store.has_told(
            rule, EventKind.BUDGET_THRESHOLD, start=_period_key(budget), end=f"|{SPENT}"
        )
        if not was_spent:
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

    async def _look_ahead(self, rule: Rule, budget: WatchedBudget, spent: int, facts: dict[str, Any]) -> None:
        key = _key(budget, "forecast")
        if await self._store.told(rule.user_id, rule.id, [key]):
            return
        now = self._clock.now()
        halves = await self._halves(rule.user_id, budget)
        moment = reached_at(budget.limit_micro_rub - spent, halves, now)
        ends_at = budget.ends_at or now + PACE * (FORECAST_DAYS / 7)
        if moment is None or moment >= ends_at:
            return
        told = {**facts, "reached_at": moment.isoformat()}
        happening = Happening(rule.user_id, EventKind.BUDGET_FORECAST, key, told, subject=budget.subject)
        await self._events.raise_by(rule, happening)

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


def _period_key(budget: WatchedBudget) -> str:
    begin = budget.starts_at.isoformat() if budget.starts_at else "ever"
    return f"{budget.subject}|{budget.period}|{begin}|"


def _key(budget: WatchedBudget, what: str) -> str:
    """Return what is told once: a budget of another amount is another budget, and so is its next period."""
    return f"{_period_key(budget)}{budget.limit_micro_rub}|{what}"


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
