"""The one layer that tries again: candidates in order, each failure judged by its class, nothing after content."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog
from opentelemetry.trace import SpanKind

from servicekit.call import TRACEPARENT, TRACESTATE, current_call
from servicekit.clock import Clock
from servicekit.errors import ServiceError
from servicekit.telemetry import Span, start_span
from services.router import metrics
from services.router.domain.catalog import Model
from services.router.domain.completion import Attempt
from services.router.domain.failure import Situation, Verdict, counts_against_provider, decide
from services.router.domain.health import HealthBoard
from services.router.providers import failures
from services.router.providers.provider import Provider, ProviderCall

log = structlog.get_logger()
T = TypeVar("T")


@dataclass(slots=True)
class Tried(Generic[T]):
    """An attempt that got as far as its first content (or its whole answer)."""

    result: T
    model: Model
    call: ProviderCall
    span: Span
    began: float
    attempts: list[Attempt]


@dataclass(slots=True)
class Journey:
    """One request on its way through the candidates."""

    request_id: str
    candidates: Sequence[Model]
    deadline: float | None
    """On the monotonic clock; None: none."""
    attempts: list[Attempt] = field(default_factory=list)
    at: int = 0
    tries_of_candidate: int = 0


class Attempts:
    """Makes attempts, times them, and keeps the books about them."""

    def __init__(self, providers: dict[str, Provider], board: HealthBoard, clock: Clock, rng: random.Random) -> None:
        self.providers = providers
        self._board = board
        self._clock = clock
        self._rng = rng

    async def first_that_works(
        self, journey: Journey, attempt: Callable[[Provider, ProviderCall], Awaitable[T]]
    ) -> Tried[T]:
        """Return the first attempt that works.

        Raises:
            ServiceError: the last failure, with the attempts in its details.
        """
        while True:
            model = journey.candidates[journey.at]
            journey.tries_of_candidate += 1
            span, call = self._begin(journey.request_id, model)
            began = self._clock.monotonic()
            try:
                result = await attempt(self._provider(model), call)
            except ServiceError as exc:
                self.close(model, call, span, began, exc.reason.value, journey.attempts, exc)
                await self._after(exc, journey, model)
            except BaseException:
                span.fail("CANCELLED")
                span.__exit__(None, None, None)
                raise
            else:
                self._record(model, began, failed=False)
                return Tried(result, model, call, span, began, journey.attempts)

    def _provider(self, model: Model) -> Provider:
        provider = self.providers.get(model.provider)
        if provider is None:
            # An upstream that was taken out of its file while this request waited.
            raise failures.no_credentials(model.provider)
        return provider

    def close(
        self,
        model: Model,
        call: ProviderCall,
        span: Span,
        began: float,
        reason: str,
        attempts: list[Attempt],
        error: ServiceError | None = None,
    ) -> None:
        """Write down how an attempt ended; an empty reason means that it answered."""
        latency_ms = round((self._clock.monotonic() - began) * 1000)
        attempts.append(Attempt(model.provider, model.id, reason, latency_ms, call.provider_request_id))
        if reason:
            metrics.ATTEMPTS.labels(model.provider, model.id, reason).inc()
        else:
            metrics.of_model(model.provider, model.id).answered.inc()
        if call.provider_request_id:
            span.set("razvilka.provider_request_id", call.provider_request_id)
        if reason:
            span.fail(reason)
        span.__exit__(None, None, None)
        if error is not None:
            error.details.update(_described(model, call, attempts))
            if counts_against_provider(error):
                self._record(model, began, failed=True)

    async def _after(self, error: ServiceError, journey: Journey, model: Model) -> None:
        """Wait, move on, or give up.

        Raises:
            ServiceError: `error`, when nothing is left to try.
        """
        left = journey.candidates[journey.at + 1 :]
        remaining_s = None if journey.deadline is None else journey.deadline - self._clock.monotonic()
        situation = Situation(
            attempts=len(journey.attempts),
            attempts_of_candidate=journey.tries_of_candidate,
            has_next=bool(left),
            next_is_larger=bool(left) and left[0].context_length > model.context_length,
            remaining_s=remaining_s,
        )
        decision = decide(error, situation, self._rng.random())
        reason = error.reason.value
        if decision.verdict is Verdict.STOP:
            raise error
        if decision.verdict is Verdict.RETRY:
            metrics.RETRIES.labels(model.provider, reason).inc()
            log.info("router.retry", model=model.id, reason=reason, wait_s=round(decision.wait_s, 3))
            await self._clock.sleep(decision.wait_s)
            return
        metrics.FALLBACKS.labels(model.provider, model.id, reason).inc()
        log.warning("router.fallback", failed=model.id, next=left[0].id, reason=reason)
        journey.at += 1
        journey.tries_of_candidate = 0

    def _begin(self, request_id: str, model: Model) -> tuple[Span, ProviderCall]:
        here = current_call()
        span = start_span("provider.call", here.trace, kind=SpanKind.CLIENT)
        span.set("gen_ai.provider.name", model.provider)
        span.set("gen_ai.request.model", model.resolved_model)
        headers = {TRACEPARENT: span.context.traceparent}
        if span.context.tracestate:
            headers[TRACESTATE] = span.context.tracestate
        return span, ProviderCall(model, request_id or here.request_id, headers)

    def _record(self, model: Model, began: float, *, failed: bool) -> None:
        now = self._clock.monotonic()
        if not failed:
            metrics.of_model(model.provider, model.id).first_content.observe(now - began)
        self._board.record(
            model.provider,
            model.id,
            failed=failed,
            latency_ms=(now - began) * 1000,
            now=self._clock.now(),
            monotonic=now,
        )


def _described(model: Model, call: ProviderCall, attempts: Sequence[Attempt]) -> dict[str, str]:
    facts = {
        "provider": model.provider,
        "model": model.id,
        "attempts": json.dumps(
            [
                {"provider": one.provider, "model": one.model, "reason": one.reason, "latency_ms": one.latency_ms}
                for one in attempts
            ],
            separators=(",", ":"),
        ),
    }
    if call.provider_request_id:
        facts["provider_request_id"] = call.provider_request_id
    return facts
