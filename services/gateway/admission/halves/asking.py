"""Asks for a request's halves one after another, and leaves all of them held or none."""

from __future__ import annotations

from collections.abc import Sequence

from servicekit.clock import Clock
from servicekit.failpoints import failpoint
from services.gateway.admission.codec import settle_payload
from services.gateway.admission.halves.answers import merged
from services.gateway.admission.halves.calls import half_payload, owners_of
from services.gateway.admission.keys import details_key
from services.gateway.admission.redis.running import RunsScripts
from services.gateway.admission.redis.scripts import ADMIT, SETTLE
from services.gateway.admission.request import AdmissionRequest
from services.gateway.admission.wire import AdmitAnswer, Mode, Verdict, read_answer
from services.gateway.metering.hold import Ticket


class Halves:
    """Admission where owners are on different servers: a round trip for each of them."""

    def __init__(self, runner: RunsScripts, clock: Clock, *, lease_us: int, timeout_s: float) -> None:
        self._runner = runner
        self._clock = clock
        self._lease_us = lease_us
        self._timeout_s = timeout_s

    async def ask(self, request: AdmissionRequest) -> AdmitAnswer:
        """Return what the halves were told, as one answer; unless it is ADMITTED, nothing is held.

        Raises:
            RedisLost: some half has no answer; what others hold is for the settlement of the whole ticket.
        """
        told: dict[str, AdmitAnswer] = {}
        mode = Mode.DECIDE
        for owner in owners_of(request):
            told[owner] = await self._ask_half(request, owner, mode)
            if told[owner].verdict is not Verdict.ADMITTED:
                # Nothing is taken any more, but the caller is told how all its limits stand.
                mode = Mode.PEEK
        answer = merged(request, told)
        if answer.verdict is not Verdict.ADMITTED:
            await self._give_back(request, [owner for owner, each in told.items() if each.verdict is Verdict.ADMITTED])
        return answer

    async def _ask_half(self, request: AdmissionRequest, owner: str, mode: Mode) -> AdmitAnswer:
        key, asked_s = details_key(owner), self._clock.monotonic()
        payload = half_payload(request, owner, mode=mode, lease_us=self._lease_us)
        answer = read_answer(await self._runner.run(ADMIT, key, payload, within_s=self._timeout_s))
        failpoint("gateway.before_admit_reply")
        self._runner.time_of(key).learn(answer.now_us, asked_s)
        return answer

    async def _give_back(self, request: AdmissionRequest, owners: Sequence[str]) -> None:
        """Release halves before the same request may be asked again: by the same connection, so in this order."""
        for owner in owners:
            key = details_key(owner)
            now_us = self._runner.time_of(key).now_us()
            await self._runner.run(SETTLE, key, settle_payload(Ticket(owner, request.request_id, now_us), 0, 0, now_us))
