"""Receives data about users from the gateway, and raises the events that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from servicekit.clock import Clock
from servicekit.errors import InvalidRequest, ServiceError, invalid_parameter
from services.usage.domain.forgetting import Forget
from services.usage.domain.maker import Makers
from services.usage.notifications.budget_watch import BudgetWatch
from services.usage.notifications.date_watch import DateWatch
from services.usage.notifications.domain.kinds import EventKind
from services.usage.notifications.domain.person import EndingModel, Watched
from services.usage.notifications.domain.rule import Rule
from services.usage.notifications.ending import Ending
from services.usage.notifications.store.people import PeopleStore
from services.usage.notifications.store.rules import RuleStore
from services.usage.notifications.store.shut import ShutStore

log = structlog.get_logger()

MOST_WATCHED: Final = 1000


@dataclass(frozen=True, slots=True)
class WatchedPage:
    """Some users, the credentials that made what they have, and as of when."""

    user_ids: Sequence[str]
    makers: Sequence[str]
    as_of: datetime


class Watching:
    """Checks everything that is known of a user."""

    def __init__(
        self,
        people: PeopleStore,
        shut: ShutStore,
        rules: RuleStore,
        budgets: BudgetWatch,
        dates: DateWatch,
        ending: Ending,
        also_forget: Forget,
        *,
        clock: Clock,
    ) -> None:
        self._people = people
        self._shut = shut
        self._rules = rules
        self._budgets = budgets
        self._dates = dates
        self._ending = ending
        self._also_forget = also_forget
        self._clock = clock

    async def watched(self, after: str, limit: int) -> WatchedPage:
        """Return who has something, by their ids, behind a given one, and the makers of what they have.

        Raises:
            InvalidRequest: the limit is out of bounds.
        """
        if not 1 <= limit <= MOST_WATCHED:
            text = f"The limit must be 1 to {MOST_WATCHED}."
            raise invalid_parameter("limit", text)
        # Before anything is read: what is made from here on is not judged by what is known of its maker then.
        as_of = self._clock.now()
        user_ids = await self._rules.watched(after, limit)
        return WatchedPage(user_ids, await self._ending.makers_of(user_ids), as_of)

    async def look(
        self,
        watched: Sequence[Watched],
        models: Sequence[EndingModel],
        gone: Sequence[str],
        makers: Makers | None = None,
        shut: Sequence[str] = (),
    ) -> None:
        """Remember how people are written to, forget those that are gone, and have rules tell of what is new.

        What has lost its maker ends before that, and whoever is shut is first of all: neither tells anybody.

        Raises:
            ServiceError: PostgreSQL is gone, or something of somebody could not be read in time; all others were looked
                at. Doing it again tells nothing twice.
        """
        await self._switch(shut, [*(each.person.user_id for each in watched), *gone])
        await self._people.put([each.person for each in watched], self._clock.now())
        await self._people.forget(gone)
        if gone:
            await self._also_forget(gone)
        if makers is not None:
            await self._ending.judge(makers)
        missed: ServiceError | None = None
        for each in watched:
            try:
                await self._look_at_rules(each, models)
            except ServiceError as exc:
                log.warning("usage.person_not_looked_at", user_id=each.person.user_id, reason=exc.reason.value)
                missed = exc
        if missed is not None:
            raise missed

    async def _switch(self, shut: Sequence[str], others: Sequence[str]) -> None:
        closed, opened = await self._shut.put(shut, others, self._clock.now())
        for user_id in closed:
            log.info("usage.account_shut", user_id=user_id)
        for user_id in opened:
            log.info("usage.account_not_shut_any_more", user_id=user_id)

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
