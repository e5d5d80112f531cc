"""The only layer that retries: candidates in order, each failure classified, no retry once content was sent."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, Generic, TypeVar

import structlog
from msgspec import Struct

from servicekit.call import TRACEPARENT, TRACESTATE, current_call
from servicekit.clock import Clock
from servicekit.errors import OF_CALLERS, ErrorReason, ServiceError, cause_of
from servicekit.tracing import SpanKind, start_span
from services.router import metrics
from services.router.circuits.admission import Admission
from services.router.circuits.circuits import Circuits
from services.router.circuits.retries import RetryBudgets
from services.router.domain.catalog import Model
from services.router.domain.completion import Attempt
from services.router.domain.context_overflow import overflow_sentence
from services.router.domain.failure import (
    Decision,
    FailureClass,
    Situation,
    Verdict,
    classify,
    counts_against_provider,
    decide,
    more_useful,
    went_out,
)
from services.router.providers import failures
from services.router.providers.failures import CutShort
from services.router.providers.provider import Provider, ProviderCall
from services.router.routing.credentials import CredentialChoice
from services.router.routing.patience import Patience
from services.router.routing.routed_request import RoutedRequest
from services.router.routing.routing_attempt import RoutingAttempt
from services.router.routing.selection import Selection
from services.router.status.domain.health import HealthTracker

log = structlog.get_logger()
# Calls that we end: the provider may count them a moment longer.
_CUT: Final = ("CANCELLED", ErrorReason.PROVIDER_TIMEOUT.value)
T = TypeVar("T")


class Answered(Struct, Generic[T], frozen=True):
    """An attempt that reached its first content (or its whole answer)."""

    result: T
    attempt: RoutingAttempt


class Attempts:
    """Makes attempts, measures them, and reports their outcomes."""

    def __init__(
        self,
        providers: dict[str, Provider],
        health: HealthTracker,
        circuits: Circuits,
        retries: RetryBudgets,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self.providers = providers
        self._health = health
        self._circuits = circuits
        self._selection = Selection(circuits)
        self._patience = Patience(self._selection, rng)
        self._credentials = CredentialChoice(circuits, self._selection, self._patience, clock)
        self._retries = retries
        self._clock = clock
        self._rng = rng

    async def first_that_works(
        self, request: RoutedRequest, ask: Callable[[Provider, ProviderCall], Awaitable[T]]
    ) -> Answered[T]:
        """Return the first attempt that works.

        Raises:
            ServiceError: the most useful failure, with the attempts in its details; NO_HEALTHY_PROVIDER: nobody may be
                asked.
        """
        while True:
            attempt = self._begin(request, self._selection.admitted(request))
            try:
                await self._take_slot(attempt)
                result = await self._in_time(attempt, ask(self._provider(attempt.model), attempt.call))
            except ServiceError as exc:
                if exc.reason is ErrorReason.CONTEXT_LENGTH_EXCEEDED:
                    exc.message = overflow_sentence(exc.message, attempt.model.context_length)
                request.name_tool(exc)
                self.close(attempt, exc.reason.value, exc)
                # What calls of a failed request have used is in the details of its own failure.
                request.failure = exc if request.kept else more_useful(request.failure, exc)
                await self._after(exc, attempt)
            except BaseException:
                self._circuits.left(attempt.admission)
                self.close(attempt, "CANCELLED")
                raise
            else:
                self._began_to_answer(attempt)
                return Answered(result, attempt)

    async def _take_slot(self, attempt: RoutingAttempt) -> None:
        provider = self._provider(attempt.model)
        if attempt.call.deferral and provider.traits(attempt.model).defers:
            # What is answered later takes none of the slots of what is answered now.
            return
        await self._credentials.take(provider, attempt.request, attempt.call, attempt.admission)
        if attempt.call.slot is not None:
            attempt.span.set("razvilka.queue_ms", round(attempt.call.queued_s * 1000))

    async def _in_time(self, attempt: RoutingAttempt, asked: Awaitable[T]) -> T:
        """Return what was asked, before the deadline of all attempts; while another model is left, in half the time."""
        request = attempt.request
        if request.deadline is None:
            return await asked
        left_s = request.deadline - self._clock.monotonic()
        most_s = left_s / 2 if self._selection.left(request) else left_s
        try:
            async with self._patience.bounded(request, attempt.admission, most_s):
                return await asked
        except TimeoutError as exc:
            raise CutShort() from exc

    def _provider(self, model: Model) -> Provider:
        provider = self.providers.get(model.provider)
        if provider is None:
            # An upstream that was taken out of its file while this request waited.
            raise failures.no_credentials(model.provider)
        return provider

    def ended(self, attempt: RoutingAttempt) -> None:
        """Write down that a streamed answer has come to its end."""
        self.close(attempt, "")
        self._circuits.ended(attempt.admission)

    def close(self, attempt: RoutingAttempt, reason: str, error: ServiceError | None = None) -> None:
        """Write down how an attempt ended, and give its slot back; an empty reason means that it answered."""
        attempt.call.end(cut=reason in _CUT)
        self._count(attempt, reason, error)
        if attempt.call.provider_request_id:
            attempt.span.set("razvilka.provider_request_id", attempt.call.provider_request_id)
        if reason:
            # All others are about the request, or the caller left.
            attempt.span.fail(reason, is_ours=reason.startswith("PROVIDER_"))
        attempt.span.__exit__(None, None, None)
        if error is not None:
            self._teach(attempt, error)
            error.details.update(attempt.described())

    def _teach(self, attempt: RoutingAttempt, error: ServiceError) -> None:
        """Have the failure counted against its model, unless it says nothing about it."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        had_answered, took_s = attempt.admission.is_recorded, attempt.took_s(monotonic)
        counts = counts_against_provider(error)
        if isinstance(error, CutShort):
            counts = self._circuits.cut_short(attempt.admission, took_s)
        else:
            self._circuits.failed(attempt.admission, error)
        if counts:
            model = attempt.model
            self._health.failed(model.provider, model.id, now, monotonic, had_answered=had_answered)
            if attempt.request.trial is not None:
                attempt.request.trial.tried(model, took_s, failed=True)

    def _count(self, attempt: RoutingAttempt, reason: str, error: ServiceError | None) -> None:
        model, monotonic = attempt.model, self._clock.monotonic()
        # What went nowhere is none of the calls that are allowed.
        attempt.request.calls += went_out(error)
        took_s = attempt.took_s(monotonic)
        latency_ms = round(took_s * 1000)
        attempt.request.attempts.append(
            Attempt(model.provider, model.id, reason, latency_ms, attempt.call.provider_request_id)
        )
        if reason:
            metrics.ATTEMPTS.labels(model.provider, model.id, reason).inc()
        else:
            metrics.of_model(model.provider, model.id).answered.inc()
            self._health.ended(model.provider, model.id, took_s, self._clock.now(), monotonic)

    async def _after(self, error: ServiceError, failed: RoutingAttempt) -> None:
        """Wait, move on, or give up.

        Raises:
            ServiceError: what is told, when nothing is left to try.
        """
        request, model = failed.request, failed.model
        request.queued_s += failed.call.queued_s
        situation, chance = self._situation(failed), self._rng.random()
        if request.gives_way(error) and situation.has_next:
            decision = Decision(Verdict.NEXT)
        else:
            decision = decide(error, situation, chance)
        reason = error.reason.value
        if not situation.may_retry and decide(error, replace(situation, may_retry=True), chance) != decision:
            self._retries.note_denial(model.provider)
        if decision.verdict is Verdict.STOP:
            if not isinstance(error, OF_CALLERS):
                log.warning("router.gave_up", model=model.id, reason=reason, **_foreign(error))
            raise self._selection.told(request, request.failure or error)
        if decision.verdict is Verdict.RETRY:
            metrics.RETRIES.labels(model.provider, reason).inc()
            log.info("router.retry", model=model.id, reason=reason, wait_s=round(decision.wait_s, 3), **_foreign(error))
            if classify(error) not in (FailureClass.CAPACITY, FailureClass.CREDENTIAL):
                self._retries.note_retry(model.provider)
            await self._clock.sleep(decision.wait_s)
            return
        request.at = self._next(request, model, error)
        request.tries_of_candidate = 0
        metrics.FALLBACKS.labels(model.provider, model.id, reason).inc()
        following = request.candidates[request.at].id
        log.warning("router.fallback", failed=model.id, next=following, reason=reason, **_foreign(error))

    def _situation(self, attempt: RoutingAttempt) -> Situation:
        request, failed = attempt.request, attempt.model
        left = self._selection.left(request)
        return Situation(
            attempts=request.calls,
            attempts_of_candidate=request.tries_of_candidate,
            has_next=bool(left),
            has_larger=any(model.context_length > failed.context_length for model in left),
            remaining_s=None if request.deadline is None else request.deadline - self._clock.monotonic(),
            may_retry=self._retries.allows(failed.provider),
            has_other_credential=self._circuits.has_other(failed, attempt.call.credential),
        )

    def _next(self, request: RoutedRequest, failed: Model, error: ServiceError) -> int:
        """Return which candidate comes next: after a prompt that was too long, the first with a larger window."""
        if error.reason is not ErrorReason.CONTEXT_LENGTH_EXCEEDED:
            return request.at + 1
        larger = next(each for each in self._selection.left(request) if each.context_length > failed.context_length)
        return request.candidates.index(larger)

    def _begin(self, request: RoutedRequest, admission: Admission) -> RoutingAttempt:
        model = request.candidates[request.at]
        if not request.tries_of_candidate:
            self._retries.note_request(model.provider)
        request.tries_of_candidate += 1
        here = current_call()
        described = {
            "gen_ai.operation.name": "embeddings" if model.kind == "embedding" else "chat",
            "gen_ai.provider.name": model.provider,
            "gen_ai.request.model": model.resolved_model,
        }
        span = start_span("provider.call", here.trace, kind=SpanKind.CLIENT, attributes=described)
        headers = {TRACEPARENT: span.context.traceparent}
        if span.context.tracestate:
            headers[TRACESTATE] = span.context.tracestate
        call = ProviderCall(model, request.request_id or here.request_id, headers, request.deadline, kept=request.kept)
        call.asker, call.deferral = request.asker, request.deferral
        return RoutingAttempt(request, model, call, admission, span, self._clock.monotonic())

    def _began_to_answer(self, attempt: RoutingAttempt) -> None:
        now, model = self._clock.monotonic(), attempt.model
        took_s = attempt.took_s(now)
        self._circuits.answered(attempt.admission, took_s)
        metrics.of_model(model.provider, model.id).first_content.observe(took_s)
        self._health.answered(model.provider, model.id, took_s, self._clock.now(), now)
        if attempt.request.trial is not None:
            attempt.request.trial.tried(model, took_s, failed=False)


def _foreign(error: ServiceError) -> dict[str, str]:
    """Return what kept us from the provider: its name, certificate, network. Other causes may quote an answer."""
    return cause_of(error) if error.reason is ErrorReason.PROVIDER_UNAVAILABLE else {}
