"""Deletes what a revoked credential had made: channels and rules here, schedules in the room of reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog

from services.usage.domain.forgetting import EndSchedules
from services.usage.domain.maker import Makers, Standing
from services.usage.notifications.store.makers import MakerStore

log = structlog.get_logger()

# What it takes to make them, by the table of what routes need.
NOTIFICATIONS_SCOPE: Final = "notifications:write"
SCHEDULES_SCOPE: Final = "usage:read"


class Ending:
    """Deletes what was made by credentials that have ended."""

    def __init__(self, store: MakerStore, end_schedules: EndSchedules) -> None:
        self._store = store
        self._end_schedules = end_schedules

    async def makers_of(self, user_ids: Sequence[str]) -> list[str]:
        """Return by which credentials something was made that these users have."""
        return await self._store.of(user_ids)

    async def judge(self, makers: Makers) -> None:
        """End what lost its maker, or what that may not make any more, and hold back what goes by a disabled one's.

        Raises:
            Unavailable: PostgreSQL is gone; doing it again ends the rest.
        """
        if not makers.known:
            return
        disabled = [maker.subject for maker in makers.known if maker.standing is Standing.DISABLED]
        await self._store.hold_back([maker.subject for maker in makers.known], disabled)
        if lost := makers.lost(SCHEDULES_SCOPE):
            # Before the rules that would tell of their reports.
            for user_id, schedule_id, maker in await self._end_schedules(lost, makers.as_of):
                log.info("usage.schedule_ended_with_its_maker", user_id=user_id, id=schedule_id, maker=maker)
        if lost := makers.lost(NOTIFICATIONS_SCOPE):
            for user_id in await self._store.find_users(lost, makers.as_of):
                await self._end_of(user_id, lost, makers.as_of)

    async def _end_of(self, user_id: str, lost: Sequence[str], before: datetime) -> None:
        channels, rules = await self._store.end(user_id, lost, before)
        for each in channels:
            log.info("usage.channel_ended_with_its_maker", user_id=user_id, id=str(each.id), maker=each.maker)
        for each in rules:
            log.info("usage.rule_ended_with_its_maker", user_id=user_id, id=str(each.id), maker=each.maker)
