"""How a priced request is admitted: as it was asked; with shorter answers; or a moment later, when there is room."""

from __future__ import annotations

from servicekit.clock import Clock
from services.gateway.admission import headers as limit_headers
from services.gateway.admission import metrics
from services.gateway.admission.admission import Admission
from services.gateway.admission.request import AdmissionRefused, Admitted, LimitReport
from services.gateway.edge.client_connection import has_left
from services.gateway.edge.request_context import RequestContext
from services.gateway.inference.answer_headers import lowered_header
from services.gateway.inference.pricing import PricedRequest, admission_request, fitting, request_facts
from services.gateway.metering.usage_record import RequestFacts

# What was admitted: the ticket, the facts that the books keep, and the request as it may be asked.
AsAdmitted = tuple[Admitted, RequestFacts, PricedRequest]


def nobody_waits(context: RequestContext) -> bool:
    """Tell whether the caller has hung up, and no retry will ask for the answer."""
    return context.keeper is None and has_left(context.scope)


def tell_limits(context: RequestContext, report: LimitReport, clock: Clock) -> None:
    """Say in the answer's headers how the caller's limits stand.

    By the clock of now: admission may have waited for seconds, and resets are told from when it decided.
    """
    context.headers.extend(limit_headers.rate_limit_headers(report, now_s=clock.now().timestamp()))


class Admitting:
    """Asks admission, again where that can help."""

    def __init__(self, admission: Admission, clock: Clock, *, boot_id: str, budget_wait_s: float) -> None:
        self._admission = admission
        self._clock = clock
        self._boot_id = boot_id
        self._budget_wait_s = budget_wait_s

    async def admit(self, context: RequestContext, priced: PricedRequest) -> AsAdmitted:
        """Admit the request, if need be when others of its budget are settled: what they held too much is left then.

        Raises:
            AdmissionRefused: a limit is spent, or a budget in which nothing was left in time.
            Unavailable: the budget cannot be checked right now.
        """
        give_up_at, waited = self._clock.monotonic() + self._budget_wait_s, False
        while True:
            try:
                admitted = await self._now(context, priced)
            except AdmissionRefused as refused:
                if not await self._is_worth_asking_again(context, refused, give_up_at):
                    metrics.count_refusal(refused.report.violated, waited=waited)
                    raise
                waited = True
            else:
                metrics.count_wait(waited=waited)
                return admitted

    async def _is_worth_asking_again(
        self, context: RequestContext, refused: AdmissionRefused, give_up_at: float
    ) -> bool:
        began = self._clock.monotonic()
        left_s = give_up_at - began
        if left_s <= 0 or nobody_waits(context) or not refused.may_fit_later:
            return False
        try:
            return await self._admission.settlements.next(context.known_caller.user_id, left_s)
        finally:
            context.timing.queue_s += self._clock.monotonic() - began

    async def _now(self, context: RequestContext, priced: PricedRequest) -> AsAdmitted:
        """Admit the request, with shorter answers if that is what makes it fit what a budget has left."""
        try:
            return await self._ask(context, priced)
        except AdmissionRefused as refused:
            shorter = fitting(priced, refused)
        admitted = await self._ask(context, shorter)
        context.headers.append(lowered_header(shorter.max_tokens))
        return admitted

    async def _ask(self, context: RequestContext, priced: PricedRequest) -> AsAdmitted:
        facts = request_facts(context, priced, self._boot_id)
        return await self._admission.admit(admission_request(context, priced, facts)), facts, priced
