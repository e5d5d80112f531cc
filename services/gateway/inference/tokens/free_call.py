"""Requests that cost nothing and leave no row: they count against the limits of requests like any other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from servicekit.clock import Clock
from services.gateway.admission.admission import Admission
from services.gateway.admission.request import AdmissionRefused, AdmissionRequest
from services.gateway.edge.request_context import RequestContext
from services.gateway.inference.admitting import tell_limits
from services.gateway.inference.pricing import PricedRequest, admission_request, request_facts
from services.gateway.metering.usage_record import Price


class FreeCalls:
    """Admits them. A spent budget does not refuse what costs nothing."""

    def __init__(self, admission: Admission, clock: Clock, *, boot_id: str) -> None:
        self._admission = admission
        self._clock = clock
        self._boot_id = boot_id

    @asynccontextmanager
    async def open(self, context: RequestContext, priced: PricedRequest) -> AsyncIterator[None]:
        """Hold a place among the caller's requests for the block; `priced` says of which model.

        Raises:
            AdmissionRefused: a limit is spent.
        """
        try:
            admitted = await self._admission.admit(self._asked(context, priced))
        except AdmissionRefused as refused:
            tell_limits(context, refused.report, self._clock)
            raise
        tell_limits(context, admitted.report, self._clock)
        context.timing.asked()
        try:
            yield
        finally:
            context.timing.answered()
            await self._admission.cancel(admitted.ticket)

    def _asked(self, context: RequestContext, priced: PricedRequest) -> AdmissionRequest:
        # Should this gateway die, whoever finds the hold bills by it: nothing.
        free = msgspec.structs.replace(priced, price=Price(priced.price.version, 0, 0, 0))
        asked = admission_request(context, free, request_facts(context, free, self._boot_id))
        return msgspec.structs.replace(asked, budgets=(), estimated_tokens=0, hold_micro_rub=0, least_hold_micro_rub=0)
