"""Deliveries: one event through one channel, with its attempts."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from services.usage.notifications.domain.event import Event
from services.usage.notifications.domain.kinds import Disabled

MINUTE_S: Final = 60
HOUR_S: Final = 3600
# What follows each failed attempt: three days in all. The first steps are those of the Standard Webhooks specification.
PAUSES_S: Final = (
    5,
    5 * MINUTE_S,
    30 * MINUTE_S,
    2 * HOUR_S,
    5 * HOUR_S,
    10 * HOUR_S,
    14 * HOUR_S,
    20 * HOUR_S,
    24 * HOUR_S,
)
# Share by which a pause is stretched at most: whoever was down is not met by everybody at once.
JITTER: Final = 0.2
# What a receiver may ask for by Retry-After.
LONGEST_WAIT_S: Final = 24 * HOUR_S
# After a failure a channel rests for so long at most: a receiver that hangs holds up its own deliveries only.
LONGEST_REST_S: Final = 5 * MINUTE_S


class State(StrEnum):
    """The state of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Every attempt failed, or the receiver said that it will never take it."""
    CANCELLED = "cancelled"
    """Its channel is not used any more."""


class Problem(StrEnum):
    """Why an attempt failed, in words that reveal nothing about the network."""

    NONE = ""
    STATUS = "status"
    """The receiver answered, but not with 2xx."""
    REDIRECT = "redirect"
    """It sent us elsewhere; redirects are not followed."""
    TIMEOUT = "timeout"
    FORBIDDEN_ADDRESS = "forbidden_address"
    """Its name leads to a private address, or to another port than 443."""
    CONNECTION = "connection"
    """It could not be reached, or its certificate is not believed."""
    NOT_CONFIGURED = "not_configured"
    """The operator of this installation has set up no way for this kind of channel."""
    NO_ADDRESS = "no_address"
    """The account has no confirmed address."""
    REFUSED = "refused"
    """It will never be taken."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one attempt.

    Attributes:
        status: the HTTP status; 0: there was none.
        retry_after_s: the receiver asks to wait so long.
        ends: the channel will never take anything again, and why.
    """

    problem: Problem = Problem.NONE
    status: int = 0
    retry_after_s: float | None = None
    ends: Disabled = Disabled.NO

    @property
    def arrived(self) -> bool:
        """Whether the receiver took it."""
        return self.problem is Problem.NONE

    @property
    def is_final(self) -> bool:
        """Whether trying again cannot help."""
        return self.arrived or self.ends is not Disabled.NO or self.problem is Problem.REFUSED


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, as the history shows it."""

    number: int
    at: datetime
    status: int
    problem: Problem
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that is due."""

    id: UUID
    event: Event
    attempts: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery, as the history shows it."""

    id: UUID
    event: Event
    channel_id: UUID
    state: State
    next_attempt_at: datetime | None
    created_at: datetime
    attempts: tuple[Attempt, ...] = ()


def next_attempt(attempts: int, outcome: Outcome, now: datetime, rng: random.Random) -> datetime | None:
    """Return when to try again after so many attempts; None: never."""
    if outcome.is_final or attempts > len(PAUSES_S):
        return None
    pause_s = PAUSES_S[attempts - 1] * (1 + JITTER * rng.random())
    asked_s = min(outcome.retry_after_s or 0.0, LONGEST_WAIT_S)
    return now + timedelta(seconds=max(pause_s, asked_s))


def rest_until(outcome: Outcome, failures: int, now: datetime) -> datetime:
    """Return until when a channel rests after so many failures in a row."""
    if outcome.arrived:
        return now
    pause_s = PAUSES_S[min(failures, len(PAUSES_S)) - 1]
    asked_s = min(outcome.retry_after_s or 0.0, LONGEST_WAIT_S)
    return now + timedelta(seconds=max(min(pause_s, LONGEST_REST_S), asked_s))
