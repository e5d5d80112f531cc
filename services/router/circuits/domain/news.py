"""Messages between replicas about their circuits, and orders of administrators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.router.circuits.domain.circuit import State
from services.router.circuits.domain.target import Target


class Cause(StrEnum):
    """Why a circuit changed."""

    FAILURES = "failures"
    SLOW = "slow"
    REFUSED = "refused"
    """The provider refused the credential."""
    SPENT = "spent"
    """The account at the provider is spent."""
    PROBE = "probe"
    """A probe failed."""
    PROBES_ANSWERED = "probes_answered"
    RESET = "reset"
    """An administrator closed it."""
    RETRY_AFTER = "retry_after"
    """The provider asked for a pause."""


CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""By how much the clocks of replicas may differ. What is dated further ahead was written by one that is wrong."""

OPENING_CAUSES: Final = (Cause.FAILURES, Cause.SLOW, Cause.REFUSED, Cause.SPENT, Cause.PROBE)
"""What opens a circuit."""


@dataclass(frozen=True, slots=True)
class Change:
    """A circuit opened or closed, or a model cools down (then only `until` counts). Wall-clock times.

    `until` is when an open circuit may be probed, or when a cooling ends.
    """

    target: Target
    state: State
    cause: Cause
    at: datetime
    until: datetime
    openings: int = 0

    @property
    def is_cooling(self) -> bool:
        """Whether it is a pause only."""
        return self.cause is Cause.RETRY_AFTER


@dataclass(frozen=True, slots=True)
class Drain:
    """An administrator's order: no calls to targets within `scope`, whose empty parts match everything."""

    scope: Target
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CircuitView:
    """A circuit as administrators see it.

    Attributes:
        since: when it came into this state; None: it has never left it.
        until: when an open one is probed; None: it is not open.
        cooling_until: the provider asked for a pause until then; None: it did not.
    """

    target: Target
    state: State
    cause: str
    since: datetime | None
    until: datetime | None
    openings: int
    cooling_until: datetime | None
    drained: bool
