"""The course of one paid request: admit, journal, answer, settle. Whatever happens in between, it settles once."""

from __future__ import annotations

import asyncio
from functools import partial
from types import TracebackType

import msgspec

from servicekit.clock import Clock
from servicekit.errors import InvalidRequest, NotFound, PermissionDenied, ServiceError
from servicekit.lifecycle import Background
from services.gateway.admission.admission import Admission
from services.gateway.admission.request import Admitted
from services.gateway.clients.completion import End, Route
from services.gateway.edge.cancellation import SHUTDOWN, Cancellation, Cancellations
from services.gateway.edge.client_connection import FINISH, ClientConnection
from services.gateway.edge.problems import code_of, status_of
from services.gateway.edge.request_context import CLIENT_CLOSED_REQUEST, CacheStatus, RequestContext
from services.gateway.inference import explanation, metrics
from services.gateway.inference.admitting import Admitting
from services.gateway.inference.answer_headers import answer_headers, failure, note_cost
from services.gateway.inference.delivered import NOTHING, BeforeLast, Delivered, Last, as_they_are
from services.gateway.inference.dispatch import Dispatch
from services.gateway.inference.explaining.circumstances import explain_by
from services.gateway.inference.keeping.kept_answer import unkept
from services.gateway.inference.marking.prompt_marks import PromptMarks
from services.gateway.inference.pricing import PricedRequest
from services.gateway.inference.tokens.free_call import FreeCalls
from services.gateway.metering.bill import previewed
from services.gateway.metering.metering import Meter, Metering
from services.gateway.metering.usage_record import Attempt, Outcome, Source, Status, TokenUsage
from services.gateway.settings import GatewaySettings

_RESTARTING = 503  # The caller is still there, and told so.
USED = "used"  # in the router's error: what calls of the failed request have used all the same


class PaidCalls:
    """Opens the paid calls of this process: what admission and metering are asked stands here."""

    def __init__(
        self,
        admission: Admission,
        metering: Metering,
        settings: GatewaySettings,
        *,
        boot_id: str,
        clock: Clock,
        tasks: Background,
        cancellations: Cancellations,
    ) -> None:
        admitting = Admitting(admission, clock, boot_id=boot_id, budget_wait_s=settings.admission.budget_wait_s)
        marks = PromptMarks(settings.metering.prompt_digest_secret.get_secret_value())
        self.dispatch = Dispatch(admission, metering, admitting, marks, clock)
        self.free = FreeCalls(admission, clock, boot_id=boot_id)
        self.begin_counting = admission.begin_counting
        self.settings = settings
        self.tasks = tasks
        self.cancellations = cancellations

    def open(self, context: RequestContext, priced: PricedRequest) -> PaidCall:
        """Return the call of a request; entering it admits and journals it, leaving it settles it.

        Entering raises:
            AdmissionRefused: a limit, quota or budget is spent.
            Unavailable: it cannot be counted, so it may not pass.
        """
        return PaidCall(self, context, priced)


class PaidCall:
    """One admitted request, from its dispatch until it is settled, exactly once.

        async with paid_calls.open(context, priced) as call:
            with call.cancellation:
                answer = await ...         # ask the router
            call.routed(answer.route)
            body = await call.complete(answer.end, finish_reason, last=render)

    Leaving the block settles what the block did not: as failed, or as interrupted. `cancellation` is the part that
    a caller who leaves, or a process that stops, may end; `client` says whether the caller is still there.
    """

    cancellation: Cancellation
    client: ClientConnection
    _meter: Meter
    _admitted: Admitted

    def __init__(self, calls: PaidCalls, context: RequestContext, priced: PricedRequest) -> None:
        self._calls = calls
        self.context = context
        self.priced = priced
        self.settled = False
        self._delivered = Delivered(priced)
        self.billed = NOTHING
        self.route = Route()

    @property
    def deadline_s(self) -> float:
        """Seconds that are left for the request as a whole, never quite nothing."""
        return max(0.001, self.context.timeout_s(self._calls.settings.request_timeout_s) - self.context.elapsed_s)

    def routed(self, route: Route) -> None:
        """Note what answers."""
        self.context.timing.answered(route.queued_ms / 1000)
        context = self.context
        if route.dropped_params:
            names = tuple(map(context.field_name, route.dropped_params))
            route = msgspec.structs.replace(route, dropped_params=names)
        self.route = route
        context.provider, context.resolved_model = route.provider, route.resolved_model
        context.model = route.model or context.model
        context.headers.extend(answer_headers(route, self.priced.model, context.ignored_params))

    def delivered(self, chars: int, progress: TokenUsage | None) -> None:
        """Note what the caller has got: this is what a cut answer is billed by."""
        self.note(chars)
        self._delivered.usage = progress or self._delivered.usage
        self._meter.progress(progress.tokens_output if progress else self._delivered.tokens)

    def note(self, chars: int) -> None:
        """Note characters without journalling them: the end that comes with them will be."""
        if chars and not self._delivered.chars and self.priced.stream:
            self._first_token()
        self._delivered.chars += chars

    def _first_token(self) -> None:
        context = self.context
        context.first_token_ms = context.elapsed_ms
        if context.cache_status is not CacheStatus.HIT:
            seconds = metrics.first_token(self.route.provider, self.route.model)
            seconds.observe(context.elapsed_s, context.span.exemplar)

    def answered(self, route: Route, chars: int, usage: TokenUsage | None) -> None:
        """Note an answer that a provider has made: it is billed, whatever becomes of others in the same request."""
        self.route = route
        self._delivered.answered(chars, usage)

    async def complete(self, end: End, finish_reason: str, last: Last, before_last: BeforeLast | None = None) -> bytes:
        """Settle an answer that the provider ended; return its last bytes.

        Args:
            end: how it ended.
            finish_reason: of the first choice.
            last: makes them.
            before_last: of the route; what it makes of them is what retries are to get.

        Raises:
            ServiceError: it could not be kept for retries, so it costs nothing and nobody gets it.
        """
        if lost := self.client.lost:
            # Whoever left while the answer was read on to its end, because it is billed whole, has not got it.
            explanation.note_cut(self.context, lost)
        outcome = self._outcome(
            Status.INTERRUPTED if lost else Status.COMPLETED,
            usage=end.usage,
            finish_reason=finish_reason,
            error_code=lost,
            http_status=CLIENT_CLOSED_REQUEST if lost else 200,
            attempts=end.attempts,
            delivered_bound=0 if lost else self._delivered.bound(finish_reason),
        )
        return await self._conclude(outcome, last, before_last or as_they_are)

    async def interrupt(self, cause: str) -> None:
        """Settle an answer that was ended from our side: what was delivered is billed."""
        explanation.note_cut(self.context, cause)
        status = _RESTARTING if cause == SHUTDOWN else CLIENT_CLOSED_REQUEST
        usage = self._delivered.usage
        await self._settle(self._outcome(Status.INTERRUPTED, usage=usage, error_code=cause, http_status=status))

    async def fail(self, error: ServiceError, last: Last) -> bytes:
        """Settle an answer that failed; return the last bytes. Nothing delivered and nothing made: nothing billed."""
        self.context.timing.answered(explanation.waited_s(error))
        if used := error.details.pop(USED, ""):
            self.route = Route(error.details.get("provider", ""), error.details.get("model", ""))
            self._delivered.used(used)
        if not self._delivered.is_billed and isinstance(error, InvalidRequest | NotFound | PermissionDenied):
            # The router refused the request as it stands: no provider saw it, so there is nothing to tell of.
            self.settled = True
            await self._meter.void()
            return last(NOTHING, 0)
        outcome = self._failed(code_of(error), status_of(error), explanation.attempts_of(error))
        if not self._delivered.is_billed:
            # A retry may have better luck.
            return last(self.billed, await self._settle(outcome))
        try:
            return await self._conclude(outcome, last, as_they_are)
        except ServiceError:
            return last(self.billed, self.context.cost_micro_rub)

    def _failed(self, code: str, http_status: int, attempts: tuple[Attempt, ...] = ()) -> Outcome:
        usage = self._delivered.usage if self._delivered.is_billed else NOTHING
        return self._outcome(Status.FAILED, usage=usage, error_code=code, http_status=http_status, attempts=attempts)

    def _outcome(
        self,
        status: Status,
        *,
        usage: TokenUsage | None,
        finish_reason: str = "",
        error_code: str = "",
        http_status: int = 200,
        attempts: tuple[Attempt, ...] = (),
        delivered_bound: int = 0,
    ) -> Outcome:
        route, context = self.route, self.context
        return Outcome(
            status=status,
            usage=usage,
            delivered_tokens=self._delivered.tokens,
            delivered_bound=delivered_bound,
            provider=route.provider,
            model=route.model,
            resolved_model=route.resolved_model,
            price=self.priced.price_of(route.model),
            finish_reason=finish_reason,
            error_code=error_code,
            first_token_ms=context.first_token_ms,
            latency_ms=context.elapsed_ms,
            http_status=context.status or http_status,
            attempts=attempts,
            dropped_params=explanation.stored_names(explanation.dropped_names(route, context.ignored_params)),
            cache_status=context.cache_status.value,
            answer_kept=False,
            queue_ms=round(context.timing.queue_s * 1000),
            # Of an answer that the cache gives, the first one has told it.
            fallbacks=int(route.stands_in and context.cache_status is not CacheStatus.HIT),
            full_price=self.priced.full_price_of(route.model),
        )

    async def _conclude(self, outcome: Outcome, last: Last, before_last: BeforeLast) -> bytes:
        """Settle, and return the last bytes. What retries are to get is kept first: what is paid for can be had.

        Raises:
            ServiceError: it could not be kept, and costs nothing.
        """
        keeper = self.context.keeper
        if keeper is None:
            cost = await self._settle(outcome)
            return await before_last(last(self.billed, cost))
        kept = msgspec.structs.replace(outcome, answer_kept=True)
        row, bill = previewed(self._meter.ticket, self._meter.facts, kept)
        told = await before_last(last(row.billed, row.cost_micro_rub))
        try:
            await keeper.keep(outcome.http_status, told, bill)
        except ServiceError as exc:
            cost = await self._settle(unkept(outcome, exc, self.context.status))
            note_cost(self.context, exc, self.billed, cost)
            raise
        await self._settle(kept)
        return told

    async def _settle(self, outcome: Outcome) -> int:
        self.settled = True
        context = self.context
        context.timing.answered()
        explain = explain_by(context, self.priced, self._admitted, outcome)
        cost = await self._meter.settle(outcome, explain)
        if (row := self._meter.record) is None:
            return cost
        self.billed = row.billed
        explanation.note_row(context, row)
        metrics.count(row)
        if row.source is Source.PROVIDER and row.status is Status.COMPLETED:
            metrics.compare(row, self.priced.estimate.input_tokens, outcome.delivered_tokens)
        return cost

    async def __aenter__(self) -> PaidCall:
        calls, context = self._calls, self.context
        self._meter, self.priced, self._admitted = await calls.dispatch.send(context, self.priced)
        self._delivered = Delivered(self.priced)
        self.cancellation = calls.cancellations.new()
        policy = self.priced.model.on_disconnect if context.keeper is None else FINISH
        self.client = ClientConnection(context.scope, self.cancellation, policy, calls.settings.stream)
        context.timing.asked()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.client.release()
        if self.settled:
            return
        if isinstance(exc, ServiceError):
            await self.fail(exc, partial(failure, self.context, exc))
        elif isinstance(exc, asyncio.CancelledError):
            # This task may not wait any more; the lifecycle's own task does. In its first turn the bill is made.
            self._calls.tasks.start(self.interrupt("cancelled"), name="settle")
            await asyncio.sleep(0)
            if self._meter.record is not None:
                explanation.note_row(self.context, self._meter.record)
        elif exc is not None:
            await self._settle(self._failed("internal_error", 500))
        else:
            await self.interrupt("unfinished")
