"""Takes what the gateway tells of people, and looks whether there is something to be told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog

from servicekit.clock import Clock
from servicekit.errors import InvalidRequest, ServiceError
from services.usage.notifications.budget_watch import BudgetWatch
from services.usage.notifications.date_watch import DateWatch
from services.usage.notifications.domain.kinds import EventKind
from services.usage.notifications.domain.person import EndingModel, Watched
from services.usage.notifications.domain.rule import Rule
from services.usage.notifications.store.people import PeopleStore
from services.usage.notifications.store.rules import RuleStore

log = structlog.get_logger()

Forget = Callable[[Sequence[str]], Awaitable[None]]


class Watching:
    """Looks at everything that is known of somebody."""

    def __init__(
        self,
        people: PeopleStore,
        rules: RuleStore,
        budgets: BudgetWatch,
        dates: DateWatch,
        also_forget: Forget,
        *,
        clock: Clock,
    ) -> None:
        self._people = people
        self._rules = rules
        self._budgets = budgets
        self._dates = dates
        self._also_forget = also_forget
        self._clock = clock

    async def look(self, watched: Sequence[Watched], models: Sequence[EndingModel], gone: Sequence[str]) -> None:
        """Remember how people are written to, forget those that are gone, and have rules tell of what is new.

        Raises:
            ServiceError: PostgreSQL is gone, or something of somebody could not be read in time; all others were looked
                at. Doing it again tells nothing twice.
        """
        await self._people.put([each.person for each in watched], self._clock.now())
        await self._people.forget(gone)
        if gone:
            await self._also_forget(gone)
        missed: ServiceError | None = None
        for each in watched:
            try:
                await self._look_at_rules(each, models)
            except ServiceError as exc:
                log.warning("usage.person_not_looked_at", user_id=each.person.user_id, reason=exc.reason.value)
                missed = exc
        if missed is not None:
            raise missed

    async def _look_at_rules(self, each: Watched, models: Sequence[EndingModel]) -> None:
        rules = [rule for rule in await self._rules.list_of(each.person.user_id) if rule.says.enabled]
        await self._look_at(each, models, rules)

    async def _look_at(self, watched: Watched, models: Sequence[EndingModel], rules: Sequence[Rule]) -> None:
        for budget in watched.budgets:
            try:
                await self._budgets.look(watched.person, budget, rules, watched.budgets)
            except InvalidRequest as exc:
                # Another version's subject; the other budgets are looked at all the same.
                log.warning("usage.budget_unknown", subject=budget.subject, reason=exc.message)
        for rule in rules:
            await self._look_at_dates(watched, models, rule)

    async def _look_at_dates(self, watched: Watched, models: Sequence[EndingModel], rule: Rule) -> None:
        match rule.says.kind:
            case EventKind.KEY_EXPIRING:
                for key in watched.keys:
                    await self._dates.look_at_key(key, rule)
            case EventKind.MODEL_SUNSET:
                await self._dates.look_at_models(models, rule)
            case EventKind.DAILY_SUMMARY:
                await self._dates.look_at_yesterday(watched.person, rule)
