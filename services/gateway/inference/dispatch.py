"""How a priced request goes out: admitted by every limit and budget, then journalled."""

from __future__ import annotations

from typing import NamedTuple

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from servicekit.failpoints import failpoint
from services.gateway.admission.admission import Admission
from services.gateway.admission.request import AdmissionRefused, Admitted
from services.gateway.edge.reading.body import ClientDisconnected
from services.gateway.edge.request_context import RequestContext
from services.gateway.inference.admitting import Admitting, nobody_waits, tell_limits
from services.gateway.inference.marking.prompt_marks import PromptMarks, traits_of
from services.gateway.inference.pricing import PricedRequest
from services.gateway.metering.metering import Meter, Metering


class Sent(NamedTuple):
    """A request that goes out: its meter, the request as it was admitted, and what admission said."""

    meter: Meter
    priced: PricedRequest
    admitted: Admitted


class Dispatch:
    """Admits and journals."""

    def __init__(
        self, admission: Admission, metering: Metering, admitting: Admitting, marks: PromptMarks, clock: Clock
    ) -> None:
        self._admission = admission
        self._metering = metering
        self._admitting = admitting
        self._marks = marks
        self._clock = clock

    async def send(self, context: RequestContext, priced: PricedRequest) -> Sent:
        """Admit a request and journal that it goes out; what cannot be journalled is not admitted either.

        It is asked for as it was admitted: with shorter answers, if only those fit a budget.

        Raises:
            AdmissionRefused, Unavailable: it is not admitted, or cannot be journalled.
            ClientDisconnected: the caller left meanwhile, so nothing is asked.
        """
        context.prompt_digest = await self._marks.digest(context.known_caller.user_id, priced)
        context.traits = traits_of(priced)
        try:
            admitted, facts, priced = await self._admitting.admit(context, priced)
        except AdmissionRefused as refused:
            tell_limits(context, refused.report, self._clock)
            raise
        tell_limits(context, admitted.report, self._clock)
        failpoint("gateway.after_admit")
        if nobody_waits(context):
            # Admission may wait for seconds; whoever gave up before is not to pay for an answer that nobody reads.
            await self._admission.cancel(admitted.ticket)
            raise ClientDisconnected
        try:
            return Sent(self._metering.dispatched(admitted.ticket, facts), priced, admitted)
        except ServiceError:
            await self._admission.cancel(admitted.ticket)
            raise
