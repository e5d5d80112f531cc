"""The face of admission: admit, settle, cancel.

    admit ──▶ one script ──▶ admitted / refused
      │          └─ counters missing ─▶ rebuild from usage, once more
      └─ Redis lost ─▶ this gateway's share of the limits
    settle ─▶ one script, sent and not waited for; Redis lost ─▶ later, in the background

The lifecycle owns `open_admission`; the edge calls `admit`, and metering calls `settle`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from servicekit.clock import Clock, SystemClock
from servicekit.errors import Unavailable
from servicekit.failpoints import failpoint
from servicekit.lifecycle import Background
from services.gateway.admission import metrics
from services.gateway.admission.budgets import BudgetRebuild, SpendOf
from services.gateway.admission.codec import admit_payload, refusal_of, report_of, settle_payload
from services.gateway.admission.degraded.local_limits import LocalLimits
from services.gateway.admission.degraded.replicas import Replicas
from services.gateway.admission.halves.asking import Halves
from services.gateway.admission.halves.calls import owners_of, tickets_of
from services.gateway.admission.keys import details_key, tally_key
from services.gateway.admission.leases import Leases
from services.gateway.admission.options import AdmissionOptions
from services.gateway.admission.reconcile import Reconciler
from services.gateway.admission.redis.opening import open_runner
from services.gateway.admission.redis.running import RedisLost, RunsScripts
from services.gateway.admission.redis.scripts import ADMIT
from services.gateway.admission.request import AdmissionRefused, AdmissionRequest, Admitted
from services.gateway.admission.settlements import Settlements
from services.gateway.admission.settling import Calls, Settling
from services.gateway.admission.wire import AdmitAnswer, Mode, Verdict, read_answer
from services.gateway.metering.hold import Ticket

# Decide; rebuild what is missing; decide; a period or a flush may come between: a third time, then give up.
ATTEMPTS = 3


class Admission:
    """Decides whether a request may pass, and gives back what it did not use."""

    def __init__(
        self,
        runner: RunsScripts,
        rebuild: BudgetRebuild,
        local: LocalLimits,
        leases: Leases,
        settling: Settling,
        settlements: Settlements,
        *,
        clock: Clock,
        options: AdmissionOptions,
    ) -> None:
        self._runner = runner
        self._rebuild = rebuild
        self._local = local
        self._leases = leases
        self._settling = settling
        self.settlements = settlements
        self._clock = clock
        self._options = options
        self._lease_us = int(options.lease_s * 1e6)
        self._halves = Halves(runner, self._ask_owner, lease_us=self._lease_us)

    @property
    def running(self) -> int:
        """Return how many admitted requests are not settled yet."""
        return len(self._leases)

    async def admit(self, request: AdmissionRequest) -> Admitted:
        """Admit the request in one round trip.

        Raises:
            AdmissionRefused: a limit, quota or budget is spent (RATE_LIMIT_EXCEEDED, QUOTA_EXCEEDED,
                CONCURRENT_LIMIT, BUDGET_EXCEEDED); nothing was consumed.
            Unavailable: this caller's budget cannot be checked right now.
        """
        began = self._clock.monotonic()
        try:
            admitted = await self._admit_by_redis(request)
            self._local.note(request)
        except RedisLost:
            admitted = self._admit_locally(request)
        except Unavailable:
            # Redis answers but lost its counters, and nobody says what was spent: what was left lately must do.
            if not self._local.knows(request.refusing_keys):
                raise
            admitted = self._admit_locally(request)
        except asyncio.CancelledError:
            # The script may run all the same; this follows it on the same connection.
            self._settling.add(self._settlements(self._unknown_ticket(request), 0, 0))
            raise
        self._leases.add(request, admitted.ticket)
        self._local.occupy(request)
        metrics.ADMIT_SECONDS.observe(self._clock.monotonic() - began)
        return admitted

    async def settle(self, ticket: Ticket, tokens: int, cost_micro_rub: int, explanation: str = "") -> None:
        """Give back leases, turn the hold into `cost_micro_rub`, refund or charge tokens; keep the explanation.

        Idempotent by request id, from any process. It returns when the script is on its way, so that it runs before
        whatever anybody asks of Redis afterwards; it never raises, takes no longer than the timeout of Redis, and what
        Redis misses is settled in the background.
        """
        self._leases.remove(ticket.request_id)
        self._local.release(ticket.request_id, cost_micro_rub, tokens)
        await self._settling.settle(ticket.user_id, self._settlements(ticket, tokens, cost_micro_rub, explanation))

    async def cancel(self, ticket: Ticket) -> None:
        """Settle a request that never reached a provider."""
        await self.settle(ticket, 0, 0)

    def begin_counting(self, spender: str, user_id: str) -> None:
        """Have what a key or a grant spends counted in Redis from now on; what it spent before is asked of usage."""
        self._rebuild.begin(tally_key(user_id, spender))

    def _settlements(self, ticket: Ticket, tokens: int, cost_micro_rub: int, explanation: str = "") -> Calls:
        """Return the scripts that settle a ticket: of a cluster one for each owner, in their order."""
        halves = tickets_of(ticket) if self._runner.is_cluster else [(ticket.user_id, ticket)]
        return [
            self._settlement(owner, half, tokens, cost_micro_rub, explanation if owner == ticket.user_id else "")
            for owner, half in halves
        ]

    def _settlement(
        self, owner: str, ticket: Ticket, tokens: int, cost_micro_rub: int, explanation: str
    ) -> tuple[str, bytes]:
        key = details_key(owner)
        payload = settle_payload(
            ticket,
            tokens,
            cost_micro_rub,
            self._runner.time_of(key).now_us(),
            explanation=explanation,
            explained_ms=int(self._options.explained_s * 1000),
        )
        return key, payload

    def _unknown_ticket(self, request: AdmissionRequest) -> Ticket:
        """Return what releases whatever an admission may hold whose answer nobody has heard."""
        keys = request.counted_keys if self._runner.is_cluster else ()
        return Ticket(request.user_id, request.request_id, 0, keys)

    async def _admit_by_redis(self, request: AdmissionRequest) -> Admitted:
        for _ in range(ATTEMPTS):
            answer = await self._ask(request)
            if answer.verdict is Verdict.ADMITTED:
                return self._admitted(request, answer)
            if answer.verdict is Verdict.REFUSED:
                raise refusal_of(request, answer)
            if answer.cold:
                # Before the counters, so that they begin with what this gateway's running requests hold.
                await self._leases.restore(*self._leases.sharing(request.user_id, answer.cold))
                await self._rebuild.fill(answer.cold)
        raise RedisLost("it comes to no decision")

    def _ask(self, request: AdmissionRequest) -> Awaitable[AdmitAnswer]:
        if self._runner.is_cluster and len(owners_of(request)) > 1:
            return self._halves.ask(request)
        return self._ask_owner(request.user_id, admit_payload(request, mode=Mode.DECIDE, lease_us=self._lease_us))

    async def _ask_owner(self, owner: str, payload: bytes) -> AdmitAnswer:
        """Ask where an owner's keys are, and learn what time it is there."""
        key, asked_s = details_key(owner), self._clock.monotonic()
        answer = read_answer(await self._runner.run(ADMIT, key, payload, within_s=self._options.timeout_s))
        failpoint("gateway.before_admit_reply")
        self._runner.time_of(key).learn(answer.now_us, asked_s)
        return answer

    def _admitted(self, request: AdmissionRequest, answer: AdmitAnswer) -> Admitted:
        keys = request.budget_keys
        for key, left, epoch in zip(keys, answer.budget_left, answer.budget_epochs, strict=True):
            if self._local.remember(key, left, epoch):
                for user_id in self._leases.sharing(request.user_id, (key,)):
                    self._leases.doubt(user_id)
        ids = (request.user_id, request.request_id)
        ticket = Ticket(*ids, answer.now_us, request.counted_keys, answer.shared_now_us)
        report = report_of(answer, request)
        if report.reached:
            metrics.count_told(report.reached)
        return Admitted(ticket, report, budget_left=answer.budget_left, counters=request.counters)

    def _admit_locally(self, request: AdmissionRequest) -> Admitted:
        metrics.DEGRADED_REQUESTS.inc()
        try:
            report = self._local.admit(request)
        except (AdmissionRefused, Unavailable):
            # Redis may have admitted it before its answer was lost.
            self._settling.add(self._settlements(self._unknown_ticket(request), 0, 0))
            raise
        return Admitted(Ticket(request.user_id, request.request_id, 0, request.counted_keys), report, degraded=True)


@asynccontextmanager
async def open_admission(
    client: Redis,
    spend_of: SpendOf,
    *,
    boot_id: str,
    options: AdmissionOptions | None = None,
    clock: Clock | None = None,
    rng: random.Random | None = None,
) -> AsyncIterator[Admission]:
    """Yield admission with its background work; on leaving, late settles get one second."""
    options, clock, rng = options or AdmissionOptions(), clock or SystemClock(), rng or random.SystemRandom()
    owner = Background()
    runner = open_runner(client, clock, owner, options)
    metrics.DEGRADED.set_function(lambda: float(runner.is_degraded))
    settlements = Settlements(rng)
    settling = Settling(runner, settlements, clock, rng, limit=options.max_late_settles)
    leases = Leases(runner, clock, options)
    replicas = Replicas(client, clock, boot_id=boot_id, fixed=options.replicas, on_data_lost=leases.doubt_all)
    reconciler = Reconciler(client, runner, spend_of, clock=clock, every_s=options.reconcile_every_s)
    rebuild = BudgetRebuild(runner, spend_of, owner, clock=clock, timeout_s=options.rebuild_timeout_s)
    local = LocalLimits(clock, options, replicas=replicas.count)
    for work, name in (
        (runner.serve, "admission.runner"),
        (replicas.serve, "admission.replicas"),
        (settling.serve, "admission.late_settles"),
        (leases.serve, "admission.leases"),
        (leases.restore_doubted, "admission.restore"),
        (reconciler.serve, "admission.reconcile"),
    ):
        owner.keep(work, name=name)
    try:
        yield Admission(runner, rebuild, local, leases, settling, settlements, clock=clock, options=options)
    finally:
        try:
            async with asyncio.timeout(1.0):
                await settling.drained()
                await replicas.leave()
        except TimeoutError:
            pass
        await owner.drain(0.0)
