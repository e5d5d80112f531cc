"""Raises date events: keys and models that will end, and the daily summary."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from servicekit.clock import Clock
from services.usage.notifications.domain.event import Happening
from services.usage.notifications.domain.kinds import EventKind
from services.usage.notifications.domain.person import EndingKey, EndingModel, Person
from services.usage.notifications.domain.rule import Rule
from services.usage.notifications.domain.watch import (
    DAY,
    KEY_DAYS,
    MODEL_DAYS,
    bounds_of,
    next_step,
    summary_day,
)
from services.usage.notifications.domain.wording import roubles, zone_of
from services.usage.notifications.raising import Events
from services.usage.notifications.store.events import EventStore
from services.usage.notifications.store.spending import SpendingReader

# Who has called a model within so many days is told that it ends.
CALLED_DAYS: Final = 30


class DateWatch:
    """Raises events about what ends soon and about the cost of a day."""

    def __init__(self, events: Events, store: EventStore, spending: SpendingReader, *, clock: Clock) -> None:
        self._events = events
        self._store = store
        self._spending = spending
        self._clock = clock

    async def look_at_key(self, key: EndingKey, rule: Rule) -> None:
        """Tell that a key ends."""
        left = key.expires_at - self._clock.now()
        step = next_step(left, KEY_DAYS)
        subject = f"key:{key.key_id}"
        if step is None or not rule.is_about(subject):
            return
        facts = {
            "key_id": key.key_id,
            "name": key.name or key.key_id,
            "expires_at": key.expires_at.isoformat(),
            "days_left": _days(left),
        }
        once = f"{subject}|{key.expires_at.isoformat()}|{step}"
        await self._events.raise_by(rule, Happening(rule.user_id, EventKind.KEY_EXPIRING, once, facts, subject=subject))

    async def look_at_models(self, models: Sequence[EndingModel], rule: Rule) -> None:
        """Tell of models that end and that the user has called lately."""
        now = self._clock.now()
        ending = [model for model in models if next_step(model.shutdown_at - now, MODEL_DAYS) is not None]
        if not ending:
            return
        since = (now - timedelta(days=CALLED_DAYS)).date()
        calls = await self._spending.calls(rule.user_id, [model.model for model in ending], since)
        for model in ending:
            if requests := calls.get(model.model):
                await self._tell_of_model(model, requests, rule, now)

    async def _tell_of_model(self, model: EndingModel, requests: int, rule: Rule, now: datetime) -> None:
        left = model.shutdown_at - now
        facts = {
            "model": model.model,
            "shutdown_date": model.shutdown_at.date().isoformat(),
            "days_left": _days(left),
            "successor": model.successor or None,
            "requests": requests,
        }
        once = f"{model.model}|{facts['shutdown_date']}|{next_step(left, MODEL_DAYS)}"
        subject = f"model:{model.model}"
        await self._events.raise_by(rule, Happening(rule.user_id, EventKind.MODEL_SUNSET, once, facts, subject=subject))

    async def look_at_yesterday(self, person: Person, rule: Rule) -> None:
        """Tell what yesterday cost, from nine o'clock of the person's zone on; nothing of a day without requests."""
        zone = zone_of(person.time_zone)
        day = summary_day(self._clock.now(), zone)
        once = f"{day}|{person.time_zone}"
        if day is None or await self._store.told(rule.user_id, rule.id, [once]):
            return
        subject = f"user:{rule.user_id}"
        spent = await self._spending.spent(rule.user_id, subject, *bounds_of(day, zone))
        if not spent.requests:
            return
        before = await self._spending.spent(rule.user_id, subject, *bounds_of(day - DAY, zone))
        facts = {
            "date": day.isoformat(),
            "time_zone": person.time_zone,
            "cost_rub": roubles(spent.cost_micro_rub),
            "cost_micro_rub": spent.cost_micro_rub,
            "cost_before_rub": roubles(before.cost_micro_rub),
            "cost_before_micro_rub": before.cost_micro_rub,
            "requests": spent.requests,
            "tokens_input": spent.tokens_input,
            "tokens_output": spent.tokens_output,
        }
        await self._events.raise_by(rule, Happening(rule.user_id, EventKind.DAILY_SUMMARY, once, facts))


def _days(left: timedelta) -> int:
    return max(left // DAY, 0)
