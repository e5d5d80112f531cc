"""What one gateway grants on its own while Redis is lost: its share of each limit, its share of what budgets had left.

The shares of all gateways add up to 80 % of a limit, so that the callers of a lost Redis get nearly what they
paid for and never more (but for limits smaller than the number of gateways: each grants at least one).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from servicekit.clock import Clock
from services.gateway.admission.codec import limit_cap, refusal
from services.gateway.admission.degraded.token_buckets import TokenBuckets
from services.gateway.admission.dimensions import LIMITED, RATES, Dimension, DimensionRow, Rule, Unit
from services.gateway.admission.options import AdmissionOptions
from services.gateway.admission.request import (
    AdmissionRefused,
    AdmissionRequest,
    Figure,
    LimitReport,
    spending_unknown,
)
from services.gateway.admission.wire import SubjectWire

MAX_REMAINDERS: Final = 50_000
# After that long other gateways may have spent what a budget had left when this one last heard of it.
REMAINDER_FRESH_S: Final = 60.0
BUDGET_RETRY_S: Final = 5.0
# Within a day so little of a bucket comes back that it is nothing; the bucket of the next day is another one.
NEVER_REFILLED_S: Final = 1e15
SLOTS: Final = tuple(row for row in LIMITED if row.rule is Rule.SLOTS)


@dataclass(slots=True)
class Remainder:
    """What a budget has left as far as this gateway knows, after which rebuild of its counter, when Redis said so."""

    micro_rub: int
    epoch: int
    heard_at_s: float


class LocalLimits:
    """Decides without Redis; remembers what Redis said about budgets while it was there."""

    def __init__(self, clock: Clock, options: AdmissionOptions, *, replicas: Callable[[], int]) -> None:
        self._clock = clock
        self._options = options
        self._replicas = replicas
        self._buckets = TokenBuckets(clock)
        self._running: dict[str, int] = {}
        self._owned: dict[str, list[str]] = {}
        self._remainders: OrderedDict[str, Remainder] = OrderedDict()
        # What running requests hold of which budget: whatever they do not cost comes back, here as in Redis.
        self._holds: dict[str, dict[str, int]] = {}
        # Requests whose holds were taken from an allowance, by budget.
        self._granted: dict[str, set[str]] = {}
        # What running requests took of buckets of tokens: name, share, window, tokens.
        self._tokens: dict[str, list[tuple[str, int, float, float]]] = {}
        # What this gateway may still spend of a budget on its own; ends when Redis speaks again.
        self._allowances: dict[str, int] = {}
        # When it last granted anything on its own.
        self._granted_at_s = 0.0

    def remember(self, budget_key: str, remainder: int, epoch: int) -> bool:
        """Keep what a budget had left when Redis last said so; tell whether its counter was rebuilt since then."""
        if self._allowances:
            self._end_allowance(budget_key)
            self._end_old_allowances()
        before = self._remainders.get(budget_key)
        self._remainders[budget_key] = Remainder(remainder, epoch, self._clock.monotonic())
        self._remainders.move_to_end(budget_key)
        if len(self._remainders) > MAX_REMAINDERS:
            self._remainders.popitem(last=False)
        return before is not None and before.epoch != epoch

    def _end_old_allowances(self) -> None:
        """Forget those of an earlier loss: of budgets that nobody asked with since, others may have spent all."""
        if self._clock.monotonic() - self._granted_at_s > REMAINDER_FRESH_S:
            for budget_key in tuple(self._allowances):
                self._end_allowance(budget_key)

    def _end_allowance(self, budget_key: str) -> None:
        """Forget what may be spent alone; what Redis says is left has none of what was held of it meanwhile."""
        self._allowances.pop(budget_key, None)
        for request_id in self._granted.pop(budget_key, ()):
            self._holds[request_id][budget_key] = 0

    def knows(self, budget_keys: tuple[str, ...]) -> bool:
        """Tell whether what is left of all these budgets was heard lately."""
        return all(key in self._allowances or self._fresh(key) is not None for key in budget_keys)

    def admit(self, request: AdmissionRequest) -> LimitReport:
        """Admit within this gateway's share; a refused request takes nothing.

        Raises:
            AdmissionRefused: the share of a limit is used up.
            Unavailable: the share of a budget is used up; what is left of it nobody knows.
        """
        subjects = refusing_subjects(request)
        self._check(request, subjects)
        self._check_budgets(request)
        self._take(request, subjects)
        for key in request.refusing_keys:
            self._allowances[key] -= request.hold_micro_rub
            self._granted.setdefault(key, set()).add(request.request_id)
        self._holds[request.request_id] = dict.fromkeys(request.budget_keys, request.hold_micro_rub)
        self._granted_at_s = self._clock.monotonic()
        return LimitReport(tuple(self._figures(request.user_id, subjects)))

    def note(self, request: AdmissionRequest) -> None:
        """Take what Redis admitted from this gateway's share too: when Redis goes, nothing is granted twice."""
        self._take(request, refusing_subjects(request))

    def release(self, request_id: str, cost_micro_rub: int, tokens: int = 0) -> None:
        """Give back the slots of a request and what it held above its cost and the tokens that it used.

        Once is enough, twice is no harm.
        """
        for name, share, window_s, taken in self._tokens.pop(request_id, ()):
            self._buckets.correct(name, limit=share, window_s=window_s, by=tokens - taken)
        for key, hold in self._holds.pop(request_id, {}).items():
            self._give_back(key, hold - cost_micro_rub)
            self._granted.get(key, set()).discard(request_id)
        for name in self._owned.pop(request_id, ()):
            left = self._running.get(name, 0) - 1
            if left > 0:
                self._running[name] = left
            else:
                self._running.pop(name, None)

    def occupy(self, request: AdmissionRequest) -> None:
        """Count a running request, also one that Redis admitted: its slot is taken when Redis goes."""
        if request.budget_keys and request.request_id not in self._holds:
            self._holds[request.request_id] = dict.fromkeys(request.budget_keys, request.hold_micro_rub)
        names = [
            _bucket(request.user_id, subject.name, row.name)
            for subject in request.subjects
            for row in SLOTS
            if row.name in subject.limits and not subject.shadow
        ]
        if names and request.request_id not in self._owned:
            self._owned[request.request_id] = names
            for name in names:
                self._running[name] = self._running.get(name, 0) + 1

    def share(self, limit: int) -> int:
        """Return this gateway's part of a limit, at least one."""
        return max(1, int(limit * self._options.local_share / max(1, self._replicas())))

    def _check(self, request: AdmissionRequest, subjects: list[SubjectWire]) -> None:
        refusing = [found for subject in subjects for found in self._waits(request, subject) if found[0] > 0]
        if refusing:
            wait_s, row, subject, limit = max(refusing, key=lambda found: found[0])
            raise self._refusal(row, subject, limit, wait_s, request)

    def _waits(self, request: AdmissionRequest, subject: SubjectWire) -> Iterator[tuple[float, DimensionRow, str, int]]:
        """Yield how long each limit of a subject refuses the request (0: not), the limit and whose it is."""
        for row, limit in _set(RATES, subject):
            name, window_s = self._span(request.user_id, subject.name, row)
            cost = _cost(row, request)
            wait_s = self._buckets.wait_s(name, limit=self.share(limit), window_s=window_s, cost=cost) if cost else 0.0
            yield min(wait_s, self._ends_in_s(row)), row, subject.name, limit
        for row, limit in _set(SLOTS, subject):
            running = self._running.get(_bucket(request.user_id, subject.name, row.name), 0)
            yield row.retry_s if running >= self.share(limit) else 0.0, row, subject.name, limit

    def _refusal(
        self, row: DimensionRow, subject: str, limit: int, wait_s: float, request: AdmissionRequest
    ) -> AdmissionRefused:
        resets_at_s = self._clock.now().timestamp() + wait_s
        figures = {each.dimension: each for each in self._figures(request.user_id, refusing_subjects(request))}
        # Of what refuses, that of whom it refuses: another one's may have less.
        figures[row.name] = self._figure(request.user_id, subject, row, limit)
        told = tuple(figures[each.name] for each in LIMITED if each.name in figures)
        return refusal(row, limit_cap(request, subject, row.name, limit, resets_at_s), wait_s, told, request)

    def _check_budgets(self, request: AdmissionRequest) -> None:
        for counter in request.counters:
            key = counter.key
            if counter.hard is None:
                continue
            if key not in self._allowances:
                self._allowances[key] = self._allowance(counter.limit, key) // max(1, self._replicas())
            # Below nothing, as after a bill above its hold, it still has room for what costs nothing.
            if request.hold_micro_rub > max(0, self._allowances[key]):
                raise spending_unknown(retry_after_s=BUDGET_RETRY_S)

    def _allowance(self, limit_micro_rub: int, key: str) -> int:
        """Return what all gateways together may spend of a budget: a share of what is left, little if nobody knows."""
        share = self._options.budget_share
        if share == 0:
            return 0
        fresh = self._fresh(key)
        if fresh is not None:
            return max(0, int(fresh.micro_rub * share))
        cap = int(limit_micro_rub * self._options.degraded_budget_share)
        stale = self._remainders.get(key)
        return cap if stale is None else min(cap, max(0, stale.micro_rub))

    def _fresh(self, key: str) -> Remainder | None:
        known = self._remainders.get(key)
        is_fresh = known is not None and self._clock.monotonic() - known.heard_at_s <= REMAINDER_FRESH_S
        return known if is_fresh else None

    def _give_back(self, key: str, micro_rub: int) -> None:
        known = self._remainders.get(key)
        if key in self._allowances:
            self._allowances[key] += micro_rub
        elif known is not None:
            known.micro_rub += micro_rub

    def _take(self, request: AdmissionRequest, subjects: list[SubjectWire]) -> None:
        tokens = []
        for subject in subjects:
            for row, limit in _set(RATES, subject):
                (name, window_s), share = self._span(request.user_id, subject.name, row), self.share(limit)
                taken = self._buckets.take(name, limit=share, window_s=window_s, cost=_cost(row, request))
                if row.unit is Unit.TOKENS:
                    tokens.append((name, share, window_s, taken))
        if tokens:
            self._tokens[request.request_id] = tokens

    def _figures(self, user_id: str, subjects: list[SubjectWire]) -> list[Figure]:
        found: dict[Dimension, Figure] = {}
        for subject in subjects:
            for row, limit in _set(RATES, subject):
                figure = self._figure(user_id, subject.name, row, limit)
                if row.name not in found or figure.remaining < found[row.name].remaining:
                    found[row.name] = figure
        return [found[row.name] for row in RATES if row.name in found]

    def _figure(self, user_id: str, subject: str, row: DimensionRow, limit: int) -> Figure:
        if row.rule is Rule.SLOTS:
            running = self._running.get(_bucket(user_id, subject, row.name), 0)
            return Figure(row.name, limit, max(0, self.share(limit) - running), 0.0)
        name, window_s = self._span(user_id, subject, row)
        left = self._buckets.left(name, limit=self.share(limit), window_s=window_s)
        return Figure(row.name, limit, left, min(self._buckets.full_in_s(name), self._ends_in_s(row)))

    def _span(self, user_id: str, subject: str, row: DimensionRow) -> tuple[str, float]:
        """Return the name of a bucket and in how many seconds it refills: each day has its own, which never does."""
        name = _bucket(user_id, subject, row.name)
        if row.rule is not Rule.CALENDAR:
            return name, row.window_s
        return f"{name} {self._clock.now().timestamp() // row.window_s:.0f}", NEVER_REFILLED_S

    def _ends_in_s(self, row: DimensionRow) -> float:
        """Return in how many seconds the window of a limit ends by the calendar, at midnight UTC."""
        if row.rule is not Rule.CALENDAR:
            return math.inf
        return row.window_s - self._clock.now().timestamp() % row.window_s


def refusing_subjects(request: AdmissionRequest) -> list[SubjectWire]:
    """Return who is limited; what only watches has to wait for Redis."""
    return [subject for subject in request.subjects if not subject.shadow]


def _bucket(user_id: str, subject: str, dimension: Dimension) -> str:
    return f"{user_id} {subject} {dimension}"


def _set(rows: tuple[DimensionRow, ...], subject: SubjectWire) -> list[tuple[DimensionRow, int]]:
    """Return which of these limits the subject has."""
    return [(row, subject.limits[row.name]) for row in rows if row.name in subject.limits]


def _cost(row: DimensionRow, request: AdmissionRequest) -> int:
    return request.estimated_tokens if row.unit is Unit.TOKENS else 1
