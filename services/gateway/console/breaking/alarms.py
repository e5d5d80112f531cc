"""The operators' alarms of a provider (deploy/observability/rules/providers.yaml), judged by its circuits as they are.

Prometheus judges them in production; a local suite has none, so whoever breaks something there sees here what
operators would be told, and when.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from servicekit.clock import Clock
from services.gateway.clients.router.administration import CircuitState, ProviderScope

PENDING: Final = "pending"
FIRING: Final = "firing"
RESOLVED: Final = "resolved"
PASSED: Final = "passed"
# One that is probed has not closed yet: its gauge says "open" until it does.
CLOSED: Final = "closed"
SPENT: Final = "spent"
# What was not looked at for so long is judged as if for the first time.
FORGOTTEN_AFTER: Final = timedelta(minutes=1)
# As long what has ended is still shown.
SHOWN_FOR: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Rule:
    """An alarm: `hold` is for how long it must be true before it rings, `window` how far back it looks."""

    name: str
    severity: str
    hold: timedelta = timedelta()
    window: timedelta = timedelta()

    @property
    def runbook(self) -> str:
        """Return where the repository says what to do."""
        return f"docs/operations/runbooks/{self.name}.md"


CIRCUIT_OPEN: Final = Rule("CircuitOpen", "ticket", hold=timedelta(minutes=5))
ACCOUNT_SPENT: Final = Rule("AccountSpent", "page", window=timedelta(minutes=10))


@dataclass(frozen=True, slots=True)
class Alarm:
    """How a rule stands.

    Attributes:
        state: PENDING, FIRING, RESOLVED: it rang and has ended, or PASSED: it ended before it rang.
        since: when that state began.
        until: of PENDING when it rings, of FIRING when it ends at the latest if nothing else happens; None: not known.
    """

    rule: Rule
    state: str
    since: datetime
    until: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Tell whether it is true no longer."""
        return self.state in (RESOLVED, PASSED)


class AlarmWatch:
    """Judges the alarms of one provider each time somebody looks, and remembers what they were before."""

    def __init__(self, provider: str, clock: Clock) -> None:
        self._provider = provider
        self._clock = clock
        self._known: dict[str, Alarm] = {}
        self._open_since: dict[ProviderScope, datetime] = {}
        self._spent_at: set[datetime] = set()
        self._looked_at = clock.now()

    def look(self, circuits: Sequence[CircuitState]) -> list[Alarm]:
        """Return the alarms that are true, and those that have just ended."""
        now = self._clock.now()
        if now - self._looked_at > FORGOTTEN_AFTER:
            self._known.clear()
            self._open_since.clear()
        self._looked_at = now
        own = [each for each in circuits if each.target.provider == self._provider and each.target.model]
        opened = {each.target: each.since for each in own if each.state != CLOSED and each.since is not None}
        # A probe that failed opens it anew; the rule has been true all the while.
        self._open_since = {target: min(self._open_since.get(target, since), since) for target, since in opened.items()}
        self._judge(CIRCUIT_OPEN, self._open_since.values(), now)
        self._spent_at |= {opened[each.target] for each in own if each.target in opened and each.cause == SPENT}
        self._spent_at = {at for at in self._spent_at if now - at < ACCOUNT_SPENT.window}
        self._judge(ACCOUNT_SPENT, self._spent_at, now)
        return list(self._known.values())

    def _judge(self, rule: Rule, true_since: Collection[datetime], now: datetime) -> None:
        before = self._known.pop(rule.name, None)
        after = _standing(rule, true_since, now) if true_since else _ended(before, now)
        if after is not None:
            self._known[rule.name] = after


def _standing(rule: Rule, true_since: Collection[datetime], now: datetime) -> Alarm:
    rings_at = min(true_since) + rule.hold
    if now < rings_at:
        return Alarm(rule, PENDING, min(true_since), rings_at)
    return Alarm(rule, FIRING, rings_at, max(true_since) + rule.window if rule.window else None)


def _ended(before: Alarm | None, now: datetime) -> Alarm | None:
    if before is None or before.is_over:
        return before if before is not None and now - before.since < SHOWN_FOR else None
    rang = before.state == FIRING or (before.until is not None and before.until <= now)
    return Alarm(before.rule, RESOLVED if rang else PASSED, now)
