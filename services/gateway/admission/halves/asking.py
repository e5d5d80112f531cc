"""Asks for a request's halves one after another, and leaves all of them held or none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from services.gateway.admission.codec import settle_payload
from services.gateway.admission.halves.answers import merged
from services.gateway.admission.halves.calls import half_payload, owners_of
from services.gateway.admission.keys import details_key
from services.gateway.admission.redis.running import RunsScripts
from services.gateway.admission.redis.scripts import SETTLE
from services.gateway.admission.request import AdmissionRequest
from services.gateway.admission.wire import AdmitAnswer, Mode, Verdict
from services.gateway.metering.hold import Ticket

Ask = Callable[[str, bytes], Awaitable[AdmitAnswer]]


class Halves:
    """Admission where owners are on different servers: a round trip for each of them.

    `ask` has an owner's server decide on a half.
    """

    def __init__(self, runner: RunsScripts, ask: Ask, *, lease_us: int) -> None:
        self._runner = runner
        self._ask = ask
        self._lease_us = lease_us

    async def ask(self, request: AdmissionRequest) -> AdmitAnswer:
        """Return what the halves were told, as one answer; unless it is ADMITTED, nothing is held.

        Raises:
            RedisLost: some half has no answer; what others hold is for the settlement of the whole ticket.
        """
        told: dict[str, AdmitAnswer] = {}
        mode = Mode.DECIDE
        for owner in owners_of(request):
            told[owner] = await self._ask(owner, half_payload(request, owner, mode=mode, lease_us=self._lease_us))
            if told[owner].verdict is not Verdict.ADMITTED:
                # Nothing is taken any more, but the caller is told how all its limits stand.
                mode = Mode.PEEK
        answer = merged(request, told)
        if answer.verdict is not Verdict.ADMITTED:
            await self._give_back(request, [owner for owner, each in told.items() if each.verdict is Verdict.ADMITTED])
        return answer

    async def _give_back(self, request: AdmissionRequest, owners: Sequence[str]) -> None:
        """Release halves before the same request may be asked again: by the same connection, so in this order."""
        for owner in owners:
            key = details_key(owner)
            now_us = self._runner.time_of(key).now_us()
            await self._runner.run(SETTLE, key, settle_payload(Ticket(owner, request.request_id, now_us), 0, 0, now_us))
