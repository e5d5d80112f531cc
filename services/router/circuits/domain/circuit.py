"""One circuit: closed while calls go well, open after too many failures, half-open while live calls probe.

States and what changes them:

    closed     calls pass. `consecutive` failures in a row open it, so many answers in a row that broke off, or of at
               least `min_calls` in the window a share of `failure_share` failed or `slow_share` slow.
    open       nothing passes for `open_s` times the openings of late, at most `longest_open_s`, plus a jitter.
    half-open  `probes` calls pass at a time. All must answer: then it closes. One failure opens it again, for as long
               as before: only a circuit that opens again soon after it had closed stays open longer each time.

A last resort (nobody else is left to ask) passes whatever the state; its outcome counts as a probe's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

from msgspec import Struct

from services.router.circuits.domain.sliding_counts import SlidingCounts


class State(StrEnum):
    """The state of a circuit."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Outcome(Enum):
    """The outcome of a call, as far as it says something about the target."""

    ANSWERED = "answered"
    SLOW = "slow"
    """Answered, later than it should."""
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    SAYS_NOTHING = "says_nothing"
    """The caller's own fault, or the caller left, or a quota."""


@dataclass(frozen=True, slots=True)
class Rules:
    """When a circuit opens and closes; seconds, calls, and shares of 1."""

    window_s: float = 30.0
    min_calls: int = 20
    failure_share: float = 0.5
    slow_share: float = 0.8
    consecutive: int = 5
    open_s: float = 30.0
    longest_open_s: float = 300.0
    jitter: float = 0.2
    probes: int = 3


class Pass(Struct):
    """A permit for one call. Its outcome is recorded once; a break after the first content, once more."""

    epoch: int
    is_probe: bool = False
    is_recorded: bool = False


class Circuit:
    """The state machine; times are monotonic seconds."""

    __slots__ = (
        "_breaks",
        "_closed_at",
        "_consecutive",
        "_epoch",
        "_passed",
        "_probing",
        "_rules",
        "_window",
        "openings",
        "state",
        "until",
    )

    def __init__(self, rules: Rules) -> None:
        self.state = State.CLOSED
        self.until = 0.0
        self.openings = 0
        self._rules = rules
        self._window = SlidingCounts(rules.window_s)
        self._consecutive = 0
        # Apart from other failures: before each of them its call had begun to answer, which is the end of their row.
        self._breaks = 0
        self._closed_at = 0.0
        # Rises with every opening, closing and failed last resort: what began before says nothing about what is now.
        self._epoch = 0
        self._probing = 0
        self._passed = 0

    def admits(self, now: float) -> bool:
        """Tell whether a call would be let through; changes nothing."""
        if self.state is State.CLOSED:
            return True
        if self.state is State.OPEN:
            return now >= self.until
        return self._probing + self._passed < self._rules.probes

    def take(self, now: float) -> Pass | None:
        """Return the right to a call, or None."""
        if self.state is State.CLOSED:
            return Pass(self._epoch)
        if not self.admits(now):
            return None
        self.state = State.HALF_OPEN
        self._probing += 1
        return Pass(self._epoch, is_probe=True)

    def take_last_resort(self) -> Pass:
        """Return the right to a call of a target that nobody can stand in for."""
        return Pass(self._epoch)

    def record(self, taken: Pass, outcome: Outcome, now: float, chance: float) -> bool:
        """Count how a call ended; tell whether the circuit opened or closed.

        Args:
            taken: what let the call through.
            outcome: how it ended, or first: how it began to answer.
            now: the time.
            chance: a number in [0, 1) for the jitter.
        """
        if taken.epoch != self._epoch:
            return False
        is_break = taken.is_recorded
        if taken.is_probe and not is_break:
            self._probing -= 1
        taken.is_recorded = True
        if outcome is Outcome.SAYS_NOTHING:
            return False
        if self.state is State.CLOSED:
            return self._count(outcome, now, chance, is_break=is_break)
        return self._probed(outcome, now, chance)

    def ended(self, taken: Pass) -> None:
        """Note that a streamed answer has come to its end: whole ones say nothing of those that break off."""
        if taken.epoch == self._epoch:
            self._breaks = 0

    def has_opened_since(self, taken: Pass) -> bool:
        """Tell whether it is open, and was not when the right to a call was given."""
        return self.state is State.OPEN and taken.epoch != self._epoch

    def trip(self, taken: Pass, now: float, chance: float) -> bool:
        """Open it for one failure that leaves no doubt; tell whether it opened."""
        if taken.epoch != self._epoch or self.state is State.OPEN:
            return False
        self.open(now, chance)
        return True

    def open(self, now: float, chance: float) -> None:
        """Open it, whatever was counted."""
        if self.state is State.CLOSED:
            is_relapse = self.openings > 0 and now - self._closed_at < self._rules.longest_open_s
            self.openings = self.openings + 1 if is_relapse else 1
        length_s = min(self._rules.longest_open_s, self._rules.open_s * self.openings)
        self._begin(State.OPEN)
        self.until = now + length_s * (1 + self._rules.jitter * chance)

    def close(self, now: float) -> None:
        """Close it and forget what was counted."""
        self._begin(State.CLOSED)
        self._closed_at = now

    def adopt(self, state: State, until: float, openings: int, now: float) -> None:
        """Take over what another router has found."""
        if state is State.CLOSED:
            self.close(now)
        else:
            self._begin(State.OPEN)
            self.until = until
        self.openings = max(openings, 1) if state is State.OPEN else openings

    def _count(self, outcome: Outcome, now: float, chance: float, *, is_break: bool) -> bool:
        failed = outcome in (Outcome.FAILED, Outcome.TIMED_OUT)
        slow = outcome in (Outcome.SLOW, Outcome.TIMED_OUT)
        self._window.add(now, calls=not is_break, failed=failed, slow=slow)
        self._breaks += is_break
        self._consecutive = self._consecutive + 1 if failed else 0
        if outcome is Outcome.ANSWERED or not self._is_too_bad(now):
            return False
        self.open(now, chance)
        return True

    def _is_too_bad(self, now: float) -> bool:
        rules = self._rules
        if max(self._consecutive, self._breaks) >= rules.consecutive:
            return True
        counts = self._window.totals(now)
        return counts.calls >= rules.min_calls and (
            counts.failed >= rules.failure_share * counts.calls or counts.slow >= rules.slow_share * counts.calls
        )

    def _probed(self, outcome: Outcome, now: float, chance: float) -> bool:
        if outcome in (Outcome.FAILED, Outcome.TIMED_OUT):
            return self._fail_probe(now, chance)
        self._passed += 1
        if self._passed < self._rules.probes:
            return False
        self.close(now)
        return True

    def _fail_probe(self, now: float, chance: float) -> bool:
        if self.state is State.OPEN:
            # A last resort failed, as was to be expected: the time that was set stays. Those begun before say nothing.
            self._passed = 0
            self._epoch += 1
            return False
        self.open(now, chance)
        return True

    def _begin(self, state: State) -> None:
        self.state = state
        self._epoch += 1
        self._consecutive = self._breaks = self._probing = self._passed = 0
        self._window.clear()
