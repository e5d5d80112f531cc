"""Recommendations for a user: the most valuable ones, the user's decisions, and the savings that followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound, invalid_parameter
from services.usage.domain.identifiers import is_uuid
from services.usage.insights.domain.advice import (
    MEASURED_AFTER,
    Recommendation,
    State,
    best,
    may_save,
    realised,
    scope_of,
)
from services.usage.insights.store import recommendations
from services.usage.insights.store.sessions import Sessions
from services.usage.store.connection import Connection

MAX_REASON: Final = 500
# New advice is shown while the daily analysis still finds it.
IS_TRUE_FOR: Final = timedelta(days=2)


class Recommending:
    """Shows recommendations, stores decisions, measures their savings."""

    def __init__(self, sessions: Sessions, *, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    async def list_of(self, user_id: str, states: Sequence[State]) -> list[Recommendation]:
        """Return the user's advice in these states: of what is new the five worth most, of the rest all."""
        seen_since = self._clock.now() - IS_TRUE_FOR
        async with self._sessions.of(user_id) as connection:
            found = await recommendations.read(connection, user_id, states, seen_since)
        new = best(each for each in found if each.state is State.NEW)
        decided = [each for each in found if each.state is not State.NEW]
        return [*new, *sorted(decided, key=lambda each: each.weight, reverse=True)]

    async def decide(self, user_id: str, recommendation: str, state: State | None, reason: str) -> Recommendation:
        """Keep what the user decides.

        Raises:
            NotFound: absent, or someone else's.
            InvalidRequest: no state, dismissed without a reason, or with a very long one.
            Conflict: it may not become that any more.
        """
        if state is None:
            raise invalid_parameter("state", "Give a state (field `state`).")
        _check_reason(state, reason)
        now = self._clock.now()
        async with self._sessions.of(user_id) as connection:
            known = await recommendations.lock(connection, user_id, recommendation) if is_uuid(recommendation) else None
            if known is None:
                raise NotFound(ErrorReason.NOT_FOUND, "There is no such recommendation.", param="id")
            known.check_may_become(state)
            if known.state is state:
                return known
            await recommendations.decide(connection, recommendation, state, reason, now)
        return replace(known, state=state, reason=reason, decided_at=now)

    async def measure(self, connection: Connection, user_id: str) -> None:
        """Measure what advice that was accepted two weeks ago has saved; the caller holds the user's lock."""
        now = self._clock.now()
        for each in await recommendations.find_due(connection, user_id, now - MEASURED_AFTER):
            assert each.decided_at is not None  # what is accepted was decided on
            if not may_save(each.found):
                await recommendations.realise(connection, each.id, 0, now)
                continue
            scope, decided_at = scope_of(each.found), each.decided_at
            before = await recommendations.measure(connection, user_id, scope, decided_at - MEASURED_AFTER, decided_at)
            after = await recommendations.measure(connection, user_id, scope, decided_at, decided_at + MEASURED_AFTER)
            await recommendations.realise(connection, each.id, realised(before, after), now)


def _check_reason(state: State, reason: str) -> None:
    if state is State.DISMISSED and not reason.strip():
        raise invalid_parameter("reason", "Say why you dismiss it (field `reason`).")
    if len(reason) > MAX_REASON or "\0" in reason:
        raise invalid_parameter("reason", f"A reason has {MAX_REASON} characters at most.")
