"""The one layer that tries again: candidates in order, each failure judged by its class, nothing after content."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import structlog
from opentelemetry.trace import SpanKind

from servicekit.call import TRACEPARENT, TRACESTATE, current_call
from servicekit.clock import Clock
from servicekit.errors import ErrorReason, ServiceError
from servicekit.telemetry import Span, start_span
from services.router import metrics
from services.router.domain.catalog import Model
from services.router.domain.completion import Attempt
from services.router.domain.context_overflow import overflow_sentence
from services.router.domain.failure import Decision, Situation, Verdict, counts_against_provider, decide
from services.router.domain.health import HealthTracker
from services.router.domain.kept import Kept
from services.router.providers import failures
from services.router.providers.provider import Provider, ProviderCall
from services.router.slots.asker import NOBODY, Asker
from services.router.status.canaries import Trial

log = structlog.get_logger()
_HEARD_S: Final = 0.25
# Calls that we end: the provider may count them a moment longer.
_CUT: Final = ("CANCELLED", ErrorReason.PROVIDER_TIMEOUT.value)
T = TypeVar("T")


@dataclass(slots=True)
class RoutedRequest:
    """A request with the models that may answer it, best first, and what was tried so far."""

    request_id: str
    candidates: Sequence[Model]
    deadline: float | None
    """On the monotonic clock; None: none."""
    caller_deadline: float | None = None
    """When the caller waits no longer, on the monotonic clock; None: it always does."""
    attempts: list[Attempt] = field(default_factory=list)
    asker: Asker = NOBODY
    choices: int = 1
    queued_s: float = 0.0
    """That attempts before the one under way have waited for slots."""
    at: int = 0
    tries_of_candidate: int = 0
    trial: Trial | None = None
    """What hears how a request of a canary's channel goes."""
    skips_unsupported: bool = False
    """Whether a model that cannot do all that is asked gives way to the next one."""
    kept: Kept = field(default_factory=Kept)
    """What the model under way has answered of several calls: it is asked for the rest, and no other model is."""


@dataclass(frozen=True, slots=True)
class RoutingAttempt:
    """One call of one candidate under way."""

    request: RoutedRequest
    model: Model
    call: ProviderCall
    span: Span
    began: float
    """On the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Answered(Generic[T]):
    """An attempt that got as far as its first content (or its whole answer)."""

    result: T
    attempt: RoutingAttempt


class Attempts:
    """Makes attempts, times them, and keeps the books about them."""

    def __init__(self, providers: dict[str, Provider], health: HealthTracker, clock: Clock, rng: random.Random) -> None:
        self.providers = providers
        self._health = health
        self._clock = clock
        self._rng = rng

    async def first_that_works(
        self, request: RoutedRequest, ask: Callable[[Provider, ProviderCall], Awaitable[T]]
    ) -> Answered[T]:
        """Return the first attempt that works.

        Raises:
            ServiceError: the last failure, with the attempts in its details.
        """
        while True:
            attempt = self._begin(request)
            try:
                await self._take_slot(attempt)
                result = await self._in_time(request, ask(self._provider(attempt.model), attempt.call))
            except ServiceError as exc:
                if exc.reason is ErrorReason.CONTEXT_LENGTH_EXCEEDED:
                    exc.message = overflow_sentence(exc.message, attempt.model.context_length)
                self.close(attempt, exc.reason.value, exc)
                await self._after(exc, attempt)
            except BaseException:
                attempt.span.fail("CANCELLED")
                attempt.span.__exit__(None, None, None)
                attempt.call.end(cut=True)
                raise
            else:
                self._record(attempt, failed=False)
                return Answered(result, attempt)

    async def _take_slot(self, attempt: RoutingAttempt) -> None:
        """Wait until the provider's quota has room; while another model is left, for half of the time at most.

        Raises:
            Unavailable: it will not have in time.
        """
        provider, request, call = self._provider(attempt.model), attempt.request, attempt.call
        line = provider.slots(attempt.model)
        if line is None:
            return
        calls = 1 if provider.traits(attempt.model).choices else request.choices
        began = self._clock.monotonic()
        try:
            call.slot = await line.take(request.asker, self._wait_until(request, began), calls)
        finally:
            call.queued_s = self._clock.monotonic() - began
        attempt.span.set("razvilka.queue_ms", round(call.queued_s * 1000))

    def _wait_until(self, request: RoutedRequest, now: float) -> float | None:
        if request.deadline is None:
            return None
        left_s = request.deadline - now
        if request.at + 1 < len(request.candidates):
            return now + left_s / 2
        # Early enough that the caller hears why, and when to come again, before it gives up itself.
        return request.deadline - min(_HEARD_S, left_s / 10)

    async def _in_time(self, request: RoutedRequest, asked: Awaitable[T]) -> T:
        """Return what was asked, before the deadline of all attempts; while another model is left, in half the time."""
        if request.deadline is None:
            return await asked
        left_s = max(0.0, request.deadline - self._clock.monotonic())
        has_next = request.at + 1 < len(request.candidates)
        try:
            async with asyncio.timeout(left_s / 2 if has_next else left_s):
                return await asked
        except TimeoutError as exc:
            raise failures.slow() from exc

    def _provider(self, model: Model) -> Provider:
        provider = self.providers.get(model.provider)
        if provider is None:
            # An upstream that was taken out of its file while this request waited.
            raise failures.no_credentials(model.provider)
        return provider

    def close(self, attempt: RoutingAttempt, reason: str, error: ServiceError | None = None) -> None:
        """Write down how an attempt ended, and give its slot back; an empty reason means that it answered."""
        attempt.call.end(cut=reason in _CUT)
        self._count(attempt, reason)
        if attempt.call.provider_request_id:
            attempt.span.set("razvilka.provider_request_id", attempt.call.provider_request_id)
        if reason:
            attempt.span.fail(reason)
        attempt.span.__exit__(None, None, None)
        if error is not None:
            error.details.update(_described(attempt))
            if counts_against_provider(error):
                self._record(attempt, failed=True)

    def _count(self, attempt: RoutingAttempt, reason: str) -> None:
        model = attempt.model
        latency_ms = round((self._clock.monotonic() - attempt.began - attempt.call.queued_s) * 1000)
        attempt.request.attempts.append(
            Attempt(model.provider, model.id, reason, latency_ms, attempt.call.provider_request_id)
        )
        if reason:
            metrics.ATTEMPTS.labels(model.provider, model.id, reason).inc()
        else:
            metrics.of_model(model.provider, model.id).answered.inc()

    async def _after(self, error: ServiceError, failed: RoutingAttempt) -> None:
        """Wait, move on, or give up.

        Raises:
            ServiceError: `error`, when nothing is left to try.
        """
        request, model = failed.request, failed.model
        request.queued_s += failed.call.queued_s
        situation = self._situation(request, model)
        if _gives_way(error, request) and situation.has_next:
            decision = Decision(Verdict.NEXT)
        else:
            decision = decide(error, situation, self._rng.random())
        reason = error.reason.value
        if decision.verdict is Verdict.STOP:
            raise error
        if decision.verdict is Verdict.RETRY:
            metrics.RETRIES.labels(model.provider, reason).inc()
            log.info("router.retry", model=model.id, reason=reason, wait_s=round(decision.wait_s, 3))
            await self._clock.sleep(decision.wait_s)
            return
        request.at = _next(request, model, error)
        request.tries_of_candidate = 0
        metrics.FALLBACKS.labels(model.provider, model.id, reason).inc()
        log.warning("router.fallback", failed=model.id, next=request.candidates[request.at].id, reason=reason)

    def _situation(self, request: RoutedRequest, failed: Model) -> Situation:
        left = request.candidates[request.at + 1 :]
        return Situation(
            attempts=sum(not _was_not_asked(attempt) for attempt in request.attempts),
            attempts_of_candidate=request.tries_of_candidate,
            has_next=bool(left) and not request.kept,
            has_larger=any(model.context_length > failed.context_length for model in left),
            remaining_s=None if request.deadline is None else request.deadline - self._clock.monotonic(),
        )

    def _begin(self, request: RoutedRequest) -> RoutingAttempt:
        model = request.candidates[request.at]
        request.tries_of_candidate += 1
        here = current_call()
        span = start_span("provider.call", here.trace, kind=SpanKind.CLIENT)
        span.set("gen_ai.provider.name", model.provider)
        span.set("gen_ai.request.model", model.resolved_model)
        headers = {TRACEPARENT: span.context.traceparent}
        if span.context.tracestate:
            headers[TRACESTATE] = span.context.tracestate
        call = ProviderCall(model, request.request_id or here.request_id, headers, request.deadline, kept=request.kept)
        call.asker = request.asker
        return RoutingAttempt(request, model, call, span, self._clock.monotonic())

    def _record(self, attempt: RoutingAttempt, *, failed: bool) -> None:
        now, model = self._clock.monotonic(), attempt.model
        took_s = now - attempt.began - attempt.call.queued_s
        if attempt.request.trial is not None:
            attempt.request.trial.tried(model, took_s, failed=failed)
        if not failed:
            metrics.of_model(model.provider, model.id).first_content.observe(took_s)
        self._health.record(
            model.provider,
            model.id,
            failed=failed,
            latency_ms=took_s * 1000,
            now=self._clock.now(),
            monotonic=now,
        )


def _gives_way(error: ServiceError, request: RoutedRequest) -> bool:
    """Tell whether a model has refused what it cannot do, and another one may be able to."""
    return request.skips_unsupported and error.reason is ErrorReason.UNSUPPORTED_PARAMETER


def _was_not_asked(attempt: Attempt) -> bool:
    """Tell whether its adapter refused the request: nothing went out, so it is none of the tries that are allowed."""
    return attempt.reason == ErrorReason.UNSUPPORTED_PARAMETER.value


def _next(request: RoutedRequest, failed: Model, error: ServiceError) -> int:
    """Return which candidate comes next: after a prompt that was too long, the first with a larger window."""
    following = range(request.at + 1, len(request.candidates))
    if error.reason is not ErrorReason.CONTEXT_LENGTH_EXCEEDED:
        return following[0]
    return next(at for at in following if request.candidates[at].context_length > failed.context_length)


def _described(attempt: RoutingAttempt) -> dict[str, str]:
    model, call = attempt.model, attempt.call
    tried = [
        {"provider": one.provider, "model": one.model, "reason": one.reason, "latency_ms": one.latency_ms}
        for one in attempt.request.attempts
    ]
    facts = {
        "provider": model.provider,
        "model": model.id,
        "attempts": json.dumps(tried, separators=(",", ":")),
    }
    if call.provider_request_id:
        facts["provider_request_id"] = call.provider_request_id
    if call.kept:
        facts["used"] = json.dumps(list(call.kept.used()), separators=(",", ":"))
    return facts
