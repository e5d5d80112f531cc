"""How a priced request goes out: admitted by every limit and budget, then journalled."""

from __future__ import annotations

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from servicekit.failpoints import failpoint
from services.gateway.admission import headers as limit_headers
from services.gateway.admission.admission import Admission
from services.gateway.admission.request import AdmissionRefused, Admitted
from services.gateway.edge.request_context import RequestContext
from services.gateway.inference.answer_headers import lowered_header
from services.gateway.inference.pricing import PricedRequest, admission_request, fitting, request_facts
from services.gateway.metering.metering import Meter, Metering
from services.gateway.metering.usage_record import RequestFacts


class Dispatch:
    """Admits and journals."""

    def __init__(self, admission: Admission, metering: Metering, boot_id: str, clock: Clock) -> None:
        self._admission = admission
        self._metering = metering
        self._boot_id = boot_id
        self._clock = clock

    async def send(self, context: RequestContext, priced: PricedRequest) -> tuple[Meter, PricedRequest]:
        """Admit a request and journal that it goes out; what cannot be journalled is not admitted either.

        It is asked for as it was admitted: with shorter answers, if only those fit a budget.
        """
        now_s = self._clock.now().timestamp()
        try:
            admitted, facts, priced = await self._admit(context, priced)
        except AdmissionRefused as refused:
            context.headers.extend(limit_headers.rate_limit_headers(refused.report, now_s=now_s))
            raise
        context.headers.extend(limit_headers.rate_limit_headers(admitted.report, now_s=now_s))
        failpoint("gateway.after_admit")
        try:
            return self._metering.dispatched(admitted.ticket, facts), priced
        except ServiceError:
            await self._admission.cancel(admitted.ticket)
            raise

    async def _admit(
        self, context: RequestContext, priced: PricedRequest
    ) -> tuple[Admitted, RequestFacts, PricedRequest]:
        """Admit the request, with shorter answers if that is what makes it fit what a budget has left."""
        try:
            return *await self._ask(context, priced), priced
        except AdmissionRefused as refused:
            shorter = fitting(priced, refused)
        admitted, facts = await self._ask(context, shorter)
        context.headers.append(lowered_header(shorter.max_tokens))
        return admitted, facts, shorter

    async def _ask(self, context: RequestContext, priced: PricedRequest) -> tuple[Admitted, RequestFacts]:
        facts = request_facts(context, priced, self._boot_id)
        return await self._admission.admit(admission_request(context, priced, facts)), facts
