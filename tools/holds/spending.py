"""Callers that spend one budget side by side, with time: requests run for a while, and wait as the gateway does."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

# So many refusals in a row, and a caller gives up: its next request might have been a smaller one.
GIVES_UP_AFTER: Final = 3
FIRST_TOKEN_S: Final = 0.5
TOKENS_A_SECOND: Final = 50.0
# Between an answer, or a refusal, and the caller's next request.
THINKS_S: Final = 0.2
# From here on refusals are the end of the budget, and no longer needless.
NEARLY_SPENT: Final = 0.95


@dataclass(frozen=True, slots=True)
class Course:
    """An admitted request: what it holds and costs in micro-roubles, and how long it runs."""

    hold: int
    cost: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Ask:
    """A request before it is admitted: `admit` says its course for what a budget has left, None: it does not fit."""

    admit: Callable[[int], Course | None]
    least_hold: int


@dataclass(slots=True)
class Result:
    """How a budget was spent; `needless` counts refusals before it was nearly spent."""

    asked: int = 0
    waited: int = 0
    needless: int = 0
    share: float = 0.0


@dataclass(slots=True, eq=False)
class _Caller:
    ask: Ask
    gives_up_at: float = 0.0
    refusals: int = 0
    waits: bool = False


@dataclass(slots=True)
class Spending:
    """One budget; `wait_s` is how long a request waits for others to be settled."""

    budget: int
    wait_s: float
    asks: Iterator[Ask]
    result: Result = field(default_factory=Result)
    _spent: int = 0
    _held: int = 0
    _now: float = 0.0
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _waiting: list[_Caller] = field(default_factory=list)
    _numbers: int = 0

    def run(self, callers: int) -> Result:
        """Spend until every caller has given up, or nothing is left to ask."""
        for number in range(callers):
            self._at(number * THINKS_S / callers, lambda: self._next(0))
        while self._events:
            self._now, _, happen = heapq.heappop(self._events)
            happen()
        self.result.share = self._spent / self.budget
        return self.result

    def _at(self, moment: float, happen: Callable[[], None]) -> None:
        self._numbers += 1
        heapq.heappush(self._events, (moment, self._numbers, happen))

    def _next(self, refusals: int) -> None:
        ask = next(self.asks, None) if refusals < GIVES_UP_AFTER else None
        if ask is not None:
            self.result.asked += 1
            caller = _Caller(ask, self._now + self.wait_s, refusals)
            if not self._begins(caller):
                self._wait_or_refuse(caller)

    def _begins(self, caller: _Caller) -> bool:
        course = caller.ask.admit(self.budget - self._spent - self._held)
        if course is None:
            return False
        self._held += course.hold
        self._at(self._now + course.seconds, lambda: self._settle(course))
        return True

    def _wait_or_refuse(self, caller: _Caller) -> None:
        may_fit_later = self._held > 0 and self.budget - self._spent >= caller.ask.least_hold
        if not may_fit_later or self._now >= caller.gives_up_at:
            self._refuse(caller)
            return
        self.result.waited += not caller.waits
        caller.waits = True
        self._waiting.append(caller)
        self._at(caller.gives_up_at, lambda: self._time_is_up(caller))

    def _time_is_up(self, caller: _Caller) -> None:
        if caller in self._waiting:
            self._waiting.remove(caller)
            self._refuse(caller)

    def _refuse(self, caller: _Caller) -> None:
        self.result.needless += self._spent < NEARLY_SPENT * self.budget
        self._at(self._now + THINKS_S, lambda: self._next(caller.refusals + 1))

    def _settle(self, course: Course) -> None:
        self._held -= course.hold
        self._spent += course.cost
        self._at(self._now + THINKS_S, lambda: self._next(0))
        waiting, self._waiting = self._waiting, []
        for caller in waiting:
            if not self._begins(caller):
                self._stay(caller)

    def _stay(self, caller: _Caller) -> None:
        if self._held > 0 and self.budget - self._spent >= caller.ask.least_hold:
            self._waiting.append(caller)
        else:
            self._refuse(caller)
