"""The interface by which the other rooms of usage raise events."""

from __future__ import annotations

from servicekit.clock import Clock
from services.usage.notifications import metrics
from services.usage.notifications.domain.event import Facts, Happening
from services.usage.notifications.domain.kinds import EventKind
from services.usage.notifications.domain.rule import Rule
from services.usage.notifications.store.events import EventStore


class Events:
    """Raises events: each matching rule gets one."""

    def __init__(self, store: EventStore, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def raise_event(self, user_id: str, kind: str, dedupe_key: str, facts: Facts, *, subject: str = "") -> int:
        """Tell of an event by each rule that is about it; return how many rules told. Doing it again tells nothing.

        Args:
            user_id: whose event it is.
            kind: an `EventKind`, such as `anomaly.detected`: other rooms know its name, not this class.
            dedupe_key: what each rule tells once, such as an incident's id.
            facts: what JSON can hold; webhooks carry it as `data`. `summary_ru` and `summary_en` are what people read
                of an anomaly, `name` and `url` of a report.
            subject: `key:<id>` and the like; the pause of a rule counts for each subject.

        Raises:
            Unavailable: PostgreSQL is gone; nothing was told.
        """
        happening = Happening(user_id, EventKind(kind), dedupe_key, facts, subject)
        told = await self._store.add(happening, self._clock.now())
        if told:
            metrics.EVENTS.labels(happening.kind.value).inc(told)
        return told

    async def raise_by(self, rule: Rule, happening: Happening) -> bool:
        """Tell of an event by one rule; return whether it was new."""
        told = await self._store.add_by_rule(happening, rule, self._clock.now())
        if told:
            metrics.EVENTS.labels(happening.kind.value).inc()
        return told
