"""All circuits of this router: which targets may be called, what calls and peers say of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

import structlog
from msgspec import Struct

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, ServiceError
from services.router.circuits import metrics
from services.router.circuits.admission import Admission, last_resort, ordinary
from services.router.circuits.domain.circuit import Outcome, State
from services.router.circuits.domain.news import CLOCKS_DIFFER, Cause, Change, CircuitView, Drain
from services.router.circuits.domain.target import SkipReason, Target
from services.router.circuits.entries import Entries, Entry
from services.router.circuits.pools import Candidate, Pools
from services.router.circuits.settings import CircuitSettings
from services.router.domain.failure import QUOTA_WAIT_S, FailureClass, classify, counts_against_provider

log = structlog.get_logger()

_OUTCOME_OF: Final = {
    FailureClass.TRANSIENT: Outcome.FAILED,
    FailureClass.SERVER: Outcome.FAILED,
    FailureClass.SLOW: Outcome.TIMED_OUT,
    FailureClass.UNKNOWN_MODEL: Outcome.FAILED,
}


C = TypeVar("C", bound=Candidate)


class Choice(Struct, Generic[C]):
    """The chosen candidate, by index, and those passed over. No admission: none can be called."""

    at: int
    admission: Admission | None
    skipped: list[tuple[C, SkipReason]]


class Circuits:
    """Decides in microseconds, from memory. `on_change` is called with what this router found itself."""

    def __init__(self, settings: CircuitSettings, clock: Clock, rng: random.Random) -> None:
        self.on_change: Callable[[Change], None] = lambda _: None
        self._settings = settings
        self._rules = settings.rules()
        self._clock = clock
        self._rng = rng
        self._entries = Entries(settings)
        self.pools = Pools(self._entries)

    def choose(self, candidates: Sequence[C], at: int, *, is_first: bool) -> Choice[C]:
        """Return the first candidate from `at` on that may be asked.

        When none may, the last target is asked all the same: the only one that is not drained; or, if nobody was asked
        before for whom it was otherwise, the least bad one, each by a few requests at a time.
        """
        skipped: list[tuple[C, SkipReason]] = []
        for place in range(at, len(candidates)):
            admitted = self.admit(candidates[place])
            if isinstance(admitted, Admission):
                return Choice(place, admitted, skipped)
            skipped.append((candidates[place], admitted))
        return self._last_resort(candidates, at, skipped, is_first=is_first)

    def admit(self, model: Candidate) -> Admission | SkipReason:
        """Return the right to a call, or why there is none: under any credential."""
        now = self._clock.monotonic()
        entry = self.pools.best(model, now)
        refused = entry.refusal(now)
        if refused is not None:
            return refused
        return ordinary(entry, now)

    def move(self, admission: Admission, model: Candidate, credential: str) -> bool:
        """Make an admission that of the credential which a call goes out under.

        False: while the call waited for that credential, it has become worse off than another one, which is to be used.
        """
        self.left(admission)
        now = self._clock.monotonic()
        if credential in self.pools.avoided(model, now):
            return False
        entry = self._entries.of_model(Target(model.provider, credential, model.id))
        fresh = ordinary(entry, now) if entry.refusal(now) in (None, SkipReason.COOLING) else last_resort(entry)
        admission.entry, admission.is_last_resort = fresh.entry, fresh.is_last_resort
        admission.of_model, admission.of_credential = fresh.of_model, fresh.of_credential
        return True

    def is_available(self, model: Candidate) -> bool:
        """Tell whether the model could be asked now; changes nothing."""
        now = self._clock.monotonic()
        return self.pools.best(model, now).refusal(now) is None

    def may_be_last_resort(self, model: Candidate) -> bool:
        """Tell whether the model could be asked now by a request for which nobody is left; changes nothing."""
        entry = self.pools.best(model, self._clock.monotonic())
        return not entry.drained and entry.last_resorts < self._rules.probes

    def has_other(self, model: Candidate, credential: str) -> bool:
        """Tell whether the model could be asked now under a credential that is better off than this one."""
        return credential in self.pools.avoided(model, self._clock.monotonic()) and self.is_available(model)

    def ready_in_s(self, candidates: Sequence[Candidate]) -> float:
        """Return the seconds until one of the candidates may be asked again, at least one."""
        now = self._clock.monotonic()
        entries = [self.pools.best(each, now) for each in candidates]
        return max(1.0, min((each.ready_at(now) for each in entries if not each.drained), default=now + 30) - now)

    def _last_resort(
        self, candidates: Sequence[C], at: int, skipped: list[tuple[C, SkipReason]], *, is_first: bool
    ) -> Choice[C]:
        now = self._clock.monotonic()
        entries = [self.pools.best(each, now) for each in candidates]
        left = [place for place, entry in enumerate(entries) if not entry.drained]
        only = len(left) == 1
        ahead = [place for place in left if place >= at] if only or is_first else []
        for place in sorted(ahead, key=lambda each: entries[each].badness(now)):
            admission = self._forced(entries[place], now, bounded=not only)
            if admission is not None:
                return Choice(place, admission, [each for each in skipped if each[0] is not candidates[place]])
        return Choice(at, None, skipped)

    def _forced(self, entry: Entry, now: float, *, bounded: bool) -> Admission | None:
        if entry.refusal(now) is SkipReason.COOLING:
            # Its quota is spent, it is not ill: whoever has nobody else waits for it.
            return ordinary(entry, now)
        if bounded and entry.last_resorts >= self._rules.probes:
            return None
        metrics.LAST_RESORTS.labels(entry.target.provider, entry.target.model).inc()
        return last_resort(entry)

    def answered(self, admission: Admission, after_s: float) -> None:
        """Note that content has come, so many seconds after the call."""
        slow = after_s >= self._settings.slow_s
        self._record(admission, Outcome.SLOW if slow else Outcome.ANSWERED, Outcome.ANSWERED)

    def ended(self, admission: Admission) -> None:
        """Note that a streamed answer has come to its end: whole ones say nothing of those that break off."""
        admission.entry.circuit.ended(admission.of_model)

    def failed(self, admission: Admission, error: ServiceError) -> None:
        """Note a failure: before the first content, or a break after it."""
        if not counts_against_provider(error):
            # Also when our own line for the provider was too long: nobody else has to keep away for that.
            self.left(admission)
            return
        failure = classify(error)
        if failure is FailureClass.CREDENTIAL:
            self._refused(admission, error.reason)
            return
        if failure is FailureClass.CAPACITY and (pause_s := self._pause_s(admission, error)):
            self._cool(admission.entry, pause_s)
        self._record(admission, _OUTCOME_OF.get(failure, Outcome.SAYS_NOTHING), Outcome.SAYS_NOTHING)

    def cut_short(self, admission: Admission, after_s: float) -> bool:
        """Note that the request had no time left; tell whether that counts: not of callers who are impatient."""
        had_time = after_s >= self._settings.slow_s / 2
        outcome = Outcome.TIMED_OUT if had_time else Outcome.SAYS_NOTHING
        self._record(admission, outcome, Outcome.SAYS_NOTHING)
        return had_time

    def left(self, admission: Admission) -> None:
        """Note that the call ended without saying anything, as when the caller leaves."""
        self._record(admission, Outcome.SAYS_NOTHING, Outcome.SAYS_NOTHING)

    def _record(self, admission: Admission, of_model: Outcome, of_credential: Outcome) -> None:
        entry, now = admission.entry, self._clock.monotonic()
        if admission.is_last_resort:
            admission.is_last_resort = False
            entry.last_resorts -= 1
        before = entry.circuit.state
        if entry.circuit.record(admission.of_model, of_model, now, self._rng.random()):
            self._changed(entry, _cause(before, entry.circuit.state, of_model))
            if of_model is Outcome.TIMED_OUT:
                # One after another in vain: those that began later need not find it out for themselves.
                for give_up in tuple(entry.waiting):
                    give_up()
        credential = entry.credential
        before = credential.state
        if credential.record(admission.of_credential, of_credential, now, self._rng.random()):
            cause = _cause(before, credential.state, of_credential)
            self._changed(self._entries.of_credential(entry.target), cause)

    def _refused(self, admission: Admission, reason: ErrorReason) -> None:
        """The credential was refused for this model: it is open at once; after some in a row, so is the credential."""
        entry, now = admission.entry, self._clock.monotonic()
        spent = reason is ErrorReason.PROVIDER_QUOTA_EXHAUSTED
        if entry.circuit.trip(admission.of_model, now, self._rng.random()):
            self._changed(entry, Cause.SPENT if spent else Cause.REFUSED)
        # A package is spent for one model; a key is refused for all.
        self._record(admission, Outcome.SAYS_NOTHING, Outcome.SAYS_NOTHING if spent else Outcome.FAILED)

    def _pause_s(self, admission: Admission, error: ServiceError) -> float:
        """Return how long a full provider is to be left alone; one of several credentials also if it does not say."""
        if error.retry_after_s is not None:
            return error.retry_after_s
        return QUOTA_WAIT_S if self.pools.has(admission.entry.target.provider) else 0.0

    def _cool(self, entry: Entry, seconds: float) -> None:
        until = self._clock.monotonic() + min(seconds, self._settings.longest_cooling_s)
        # Of callers that are refused together, one tells the others.
        if until > entry.cooling_until + 0.5:
            now = self._clock.now()
            self.on_change(Change(entry.target, entry.circuit.state, Cause.RETRY_AFTER, now, self._wall(until)))
        entry.cooling_until = max(entry.cooling_until, until)

    def _changed(self, entry: Entry, cause: Cause) -> None:
        target, circuit = entry.target, entry.circuit
        entry.cause, entry.changed_at = cause.value, self._clock.now()
        entry.show()
        if circuit.state is State.OPEN:
            metrics.OPENINGS.labels(target.provider, target.model, cause.value).inc()
        log.warning("router.circuit", **target._asdict(), state=circuit.state.value, cause=cause.value)
        self.on_change(
            Change(target, circuit.state, cause, entry.changed_at, self._wall(circuit.until), circuit.openings)
        )

    def adopt(self, change: Change) -> None:
        """Take over what another replica found; news older than ours, or of a clock that is ahead, change nothing."""
        entry = self._entries.find(change.target)
        until = self._clock.monotonic() + (change.until - self._clock.now()).total_seconds()
        if change.is_cooling:
            most = self._clock.monotonic() + self._settings.longest_cooling_s
            # Word of a pause that a reset has ended may come after the reset.
            if entry.cause != Cause.RESET or self._is_newer(change, entry.changed_at):
                entry.cooling_until = max(entry.cooling_until, min(until, most))
        elif self._is_newer(change, entry.changed_at):
            entry.circuit.adopt(change.state, until, change.openings, self._clock.monotonic())
            entry.cause, entry.changed_at = change.cause.value, change.at
            if change.cause is Cause.RESET:
                entry.cooling_until = 0.0
            entry.show()

    def _is_newer(self, change: Change, known_at: datetime | None) -> bool:
        """Tell whether a change counts. One from the future would for hours, and undo each later one and resets."""
        latest = self._clock.now() + CLOCKS_DIFFER
        return change.at <= latest and (known_at is None or known_at > latest or change.at > known_at)

    def reset(self, scope: Target) -> list[Target]:
        """Close every circuit within `scope` and end its cooling, here and at the peers; return which they were."""
        known = [each for each in self._entries if each.target.is_within(scope)]
        touched = [each for each in known if each.circuit.state is not State.CLOSED or each.cooling_until]
        for entry in touched:
            entry.cooling_until = 0.0
            entry.circuit.close(self._clock.monotonic())
            entry.circuit.openings = 0
            self._changed(entry, Cause.RESET)
        return [entry.target for entry in touched]

    def set_drains(self, drains: Sequence[Drain]) -> None:
        """Make exactly these drains count."""
        metrics.DRAINED.set(len(drains))
        self._entries.set_drains(drains)

    def views(self) -> list[CircuitView]:
        """Return every circuit that calls or peers have made, in order of their targets."""
        return [self._view(entry) for entry in sorted(self._entries, key=lambda each: each.target)]

    def view(self, model: Candidate) -> CircuitView:
        """Return the circuit of a model; when its credential's is not closed, that one."""
        entry = self.pools.best(model, self._clock.monotonic())
        if entry.credential.state is not State.CLOSED and entry.circuit.state is not State.OPEN:
            entry = self._entries.of_credential(entry.target)
        return self._view(entry)

    def _view(self, entry: Entry) -> CircuitView:
        circuit, now = entry.circuit, self._clock.monotonic()
        waits = circuit.state is State.OPEN and now < circuit.until
        # What nobody has probed yet is open no longer: the next call is a probe.
        state = State.HALF_OPEN if circuit.state is State.OPEN and not waits else circuit.state
        cooling = self._wall(entry.cooling_until) if entry.cooling_until > now else None
        return CircuitView(
            entry.target,
            state,
            entry.cause,
            entry.changed_at,
            self._wall(circuit.until) if waits else None,
            circuit.openings,
            cooling,
            entry.drained,
        )

    def _wall(self, monotonic: float) -> datetime:
        return self._clock.now() + timedelta(seconds=monotonic - self._clock.monotonic())


def _cause(before: State, after: State, outcome: Outcome) -> Cause:
    if after is State.CLOSED:
        return Cause.PROBES_ANSWERED
    if before is State.HALF_OPEN:
        return Cause.PROBE
    return Cause.SLOW if outcome in (Outcome.SLOW, Outcome.TIMED_OUT) else Cause.FAILURES
