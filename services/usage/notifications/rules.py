"""Creating, changing and deleting rules."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from servicekit.clock import Clock
from services.usage.domain.maker import checked_maker
from services.usage.notifications.domain.rule import NewRule, Rule
from services.usage.notifications.store.rules import RuleStore


class Rules:
    """A user's rules."""

    def __init__(self, rules: RuleStore, *, clock: Clock, new_id: Callable[[], UUID]) -> None:
        self._rules = rules
        self._clock = clock
        self._new_id = new_id

    async def create(self, user_id: str, says: NewRule, maker: str) -> Rule:
        """Make a rule, which ends with its maker.

        Raises:
            InvalidRequest: a channel is not the user's.
            QuotaExceeded: the user has as many as one may have.
        """
        rule = Rule(self._new_id(), user_id, says, self._clock.now(), checked_maker(maker))
        await self._rules.add(rule)
        return rule

    async def list_of(self, user_id: str) -> list[Rule]:
        """Return the rules in the order in which they were made."""
        return await self._rules.list_of(user_id)

    async def change(self, user_id: str, rule_id: UUID, changed: Callable[[Rule], NewRule]) -> Rule:
        """Say what a rule says from now on, given what it says now.

        Raises:
            InvalidRequest: a channel is not the user's.
            NotFound: it is absent or someone else's.
        """
        return await self._rules.change(user_id, rule_id, changed)

    async def delete(self, user_id: str, rule_id: UUID) -> None:
        """Forget a rule.

        Raises:
            NotFound: it is absent or someone else's.
        """
        await self._rules.delete(user_id, rule_id)
