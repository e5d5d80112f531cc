"""The requests this gateway is running: their leases and holds are prolonged, and restored when Redis lost them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Set
from typing import Final

import structlog

from servicekit.clock import Clock
from services.gateway.admission import metrics
from services.gateway.admission.codec import admit_payload
from services.gateway.admission.halves.calls import half_payload, owners_of
from services.gateway.admission.keys import DETAILS, details_key
from services.gateway.admission.options import AdmissionOptions
from services.gateway.admission.redis.running import RedisLost, RunsScripts
from services.gateway.admission.redis.scripts import ADMIT, RENEW
from services.gateway.admission.request import AdmissionRequest
from services.gateway.admission.wire import Mode, RenewCall, pack
from services.gateway.metering.hold import Ticket

log = structlog.get_logger()

Running = tuple[AdmissionRequest, Ticket, float]
# Requests of one user in one script call: bounds how long the script keeps Redis busy.
CHUNK: Final = 200


class Leases:
    """Requests between admit and settle, by id."""

    def __init__(self, runner: RunsScripts, clock: Clock, options: AdmissionOptions) -> None:
        self._runner = runner
        self._clock = clock
        self._options = options
        self._lease_us = int(options.lease_s * 1e6)
        self._running: dict[str, Running] = {}
        self._doubted: set[str] = set()
        self._in_doubt = asyncio.Event()

    def __len__(self) -> int:
        return len(self._running)

    def add(self, request: AdmissionRequest, ticket: Ticket) -> None:
        """Begin to care for a request."""
        self._running[request.request_id] = (request, ticket, self._clock.monotonic())

    def remove(self, request_id: str) -> bool:
        """End it; tell whether it was ours."""
        return self._running.pop(request_id, None) is not None

    def sharing(self, user_id: str, budget_keys: Sequence[str]) -> set[str]:
        """Return the user, and who else runs requests under the same budget counters: those of an organization."""
        own = details_key(user_id)[: -len(DETAILS)]
        shared = {key for key in budget_keys if not key.startswith(own)}
        if not shared:
            return {user_id}
        found = {
            request.user_id for request, _, _ in self._running.values() if not shared.isdisjoint(request.budget_keys)
        }
        return found | {user_id}

    async def serve(self) -> None:
        """Renew in time, for ever; cancel it to stop."""
        while True:
            await self._clock.sleep(self._options.renew_every_s)
            try:
                await self._runner.probe()
                await self.renew()
            except RedisLost as exc:
                log.warning("admission.renewal_missed", running=len(self._running), error=str(exc))

    def doubt(self, user_id: str) -> None:
        """Redis may have lost what this user's requests hold: `restore_doubted` looks at once."""
        self._doubted.add(user_id)
        self._in_doubt.set()

    def doubt_all(self) -> None:
        """Redis has lost its data: every hold is written again at once."""
        for request, _, _ in self._running.values():
            self.doubt(request.user_id)

    async def restore_doubted(self) -> None:
        """Restore the holds of users in doubt as soon as there are any, for ever; cancel it to stop."""
        while True:
            await self._in_doubt.wait()
            self._in_doubt.clear()
            users, self._doubted = self._doubted, set()
            for owner, ids in self._chunks_of(users):
                try:
                    await self._renew_owner(owner, ids)
                except RedisLost as exc:
                    log.warning("admission.restoring_missed", error=str(exc))  # the next renewal does it

    async def restore(self, *user_ids: str) -> None:
        """Write again what these users' running requests of this gateway hold, where Redis lost it.

        Raises:
            RedisLost: what is missing stays so until the next renewal.
        """
        for owner, ids in self._chunks_of(set(user_ids)):
            await self._renew_owner(owner, ids)

    async def renew(self) -> None:
        """Prolong every request that has run for half an interval; all users share a few round trips.

        Raises:
            RedisLost: nothing is prolonged until the next time.
        """
        since = self._clock.monotonic() - self._options.renew_every_s / 2
        chunks = self._chunks([request for request, _, began in self._running.values() if began <= since])
        renewals = [self._renew_owner(owner, ids) for owner, ids in chunks]
        # Of a cluster one server can be lost: what the others have is prolonged all the same.
        for failure in await asyncio.gather(*renewals, return_exceptions=True):
            if failure is not None:
                raise failure

    def _chunks_of(self, user_ids: Set[str]) -> list[tuple[str, list[str]]]:
        """Return what runs of these users: all that runs is looked through once, not once for each of thousands."""
        return self._chunks([request for request, _, _ in self._running.values() if request.user_id in user_ids])

    def _chunks(self, requests: Sequence[AdmissionRequest]) -> list[tuple[str, list[str]]]:
        """Return ids of requests by whose keys hold them, so many that one script takes no long time."""
        found: dict[str, list[str]] = {}
        for request in requests:
            for owner in self._owners(request):
                found.setdefault(owner, []).append(request.request_id)
        return [(owner, ids[at : at + CHUNK]) for owner, ids in found.items() for at in range(0, len(ids), CHUNK)]

    def _owners(self, request: AdmissionRequest) -> tuple[str, ...]:
        return owners_of(request) if self._runner.is_cluster else (request.user_id,)

    async def _renew_owner(self, owner: str, request_ids: list[str]) -> None:
        missing = await self._runner.run(RENEW, details_key(owner), pack(RenewCall(self._lease_us, request_ids)))
        for request_id in missing:
            running = self._running.get(request_id.decode())
            # Settled while the answer was on its way: restoring it would leave a hold for ever.
            if running is not None:
                await self._restore(running[0], owner)

    async def _restore(self, request: AdmissionRequest, owner: str) -> None:
        if len(self._owners(request)) > 1:
            payload = half_payload(request, owner, mode=Mode.RESTORE, lease_us=self._lease_us)
        else:
            payload = admit_payload(request, mode=Mode.RESTORE, lease_us=self._lease_us)
        # A hung Redis may run it when the request has long been settled: then it must leave no hold.
        await self._runner.run(ADMIT, details_key(owner), payload, within_s=self._options.timeout_s)
        metrics.RESTORED.inc()
