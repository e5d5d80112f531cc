"""One key, one bill: the first request with an idempotency key is answered, every further one gets its answer.

nobody has the key, or its owner died  → it is answered, and its answer kept: what is billed is kept, what is not is
forgotten
another request is being answered      → wait for its answer
there is an answer                     → the same bytes again
the key was used for another request   → refused
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from starlette.types import Send

from servicekit.clock import Clock
from servicekit.errors import Conflict, ErrorReason, ServiceError, Unavailable, name_of
from servicekit.lifecycle import Background
from services.gateway.clients.kept.idempotency import Found, IdempotencyStore, State
from services.gateway.edge import cancellation
from services.gateway.edge.cancellation import Cancellations
from services.gateway.edge.client_connection import CANCEL, ClientConnection
from services.gateway.edge.reading.body import ClientDisconnected
from services.gateway.edge.request_context import RequestContext
from services.gateway.inference import metrics
from services.gateway.inference.keeping.claim import Claim, claim_of
from services.gateway.inference.keeping.kept_answer import Keeper, KeptAnswer, opened
from services.gateway.inference.keeping.lease import Lease
from services.gateway.inference.keeping.replay import replay
from services.gateway.inference.keeping.sealing import digest_of
from services.gateway.settings import GatewaySettings

log = structlog.get_logger()

FIRST_LOOK_S: Final = 0.05
# Whoever waits long is told a moment later.
LONGEST_LOOK_S: Final = 0.5
LONGER: Final = 1.5


class Idempotency:
    """Answers requests that have a key."""

    def __init__(
        self,
        store: IdempotencyStore,
        settings: GatewaySettings,
        *,
        clock: Clock,
        tasks: Background,
        cancellations: Cancellations,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._tasks = tasks
        self._cancellations = cancellations

    async def answer(
        self, context: RequestContext, body: bytes, send: Send, serve: Callable[[], Awaitable[None]]
    ) -> None:
        """Answer a request, by `serve` or as it was answered before.

        Raises:
            InvalidRequest: its key is none.
            Conflict: the key was used for another request; its answer is too large to be kept, or takes too long.
            Unavailable: it cannot be told whether the key was used: nothing was asked.
            ServiceError: what `serve` raises.
        """
        claim = claim_of(context, await digest_of(body))
        kept = await self._enter(context, claim)
        if kept is None:
            await self._serve(context, claim, serve)
        else:
            await replay(context, kept, send)

    async def _enter(self, context: RequestContext, claim: Claim) -> KeptAnswer | None:
        """Return the answer that is kept; None: the key is ours."""
        found = await self._store.begin(claim.record)
        waited = found.state is State.RUNNING
        if waited:
            found = await self._wait(context, claim)
        if found.state is State.OTHER:
            metrics.IDEMPOTENT.labels("other_request").inc()
            raise _reused()
        if found.state is State.OURS:
            metrics.IDEMPOTENT.labels("taken_over" if found.owner else "begun").inc()
            return None
        kept = await opened(claim, found.answer)
        if kept is None:
            metrics.IDEMPOTENT.labels("unavailable").inc()
            raise _unavailable(found.owner)
        metrics.IDEMPOTENT.labels("joined" if waited else "replayed").inc()
        context.replay_of = found.owner
        return kept

    async def _wait(self, context: RequestContext, claim: Claim) -> Found:
        """Return what is found when the request that has the key has ended, while our caller is there to hear it."""
        waiting = self._cancellations.new()
        client = ClientConnection(context.scope, waiting, CANCEL, self._settings.stream)
        try:
            with waiting:
                return await self._look(context, claim)
        finally:
            client.release()
        # Left in the middle of a look it may have become ours.
        self._tasks.start(self._release(claim), name="idempotency.release")
        if waiting.cause == cancellation.SHUTDOWN:
            raise Unavailable(
                ErrorReason.SERVICE_UNAVAILABLE, "This server is being restarted. Try again.", retry_after_s=1.0
            )
        raise ClientDisconnected

    async def _look(self, context: RequestContext, claim: Claim) -> Found:
        pause_s = FIRST_LOOK_S
        while context.elapsed_s + pause_s < self._settings.request_timeout_s:
            await self._clock.sleep(pause_s)
            found = await self._store.begin(claim.record)
            if found.state is not State.RUNNING:
                return found
            pause_s = min(LONGEST_LOOK_S, pause_s * LONGER)
        metrics.IDEMPOTENT.labels("in_progress").inc()
        raise _in_progress()

    async def _serve(self, context: RequestContext, claim: Claim, serve: Callable[[], Awaitable[None]]) -> None:
        given = self._settings.idempotency
        keeper = context.keeper = Keeper(context, claim, self._store, most_bytes=given.most_kb * 1024)
        lease = Lease(claim.record, self._store, self._tasks, lease_s=given.lease_s)
        try:
            await serve()
        finally:
            lease.end()
            if not keeper.is_kept:
                # Before the caller hears of it and tries again; whoever cancels this request does not mean its key.
                await asyncio.shield(self._tasks.start(self._release(claim), name="idempotency.release"))

    async def _release(self, claim: Claim) -> None:
        try:
            await self._store.release(claim.record)
        except ServiceError as exc:
            # It is free when its lease has ended.
            log.warning("idempotency.not_released", request_id=claim.record.owner, error=name_of(exc))


def _reused() -> Conflict:
    return Conflict(
        ErrorReason.IDEMPOTENCY_KEY_REUSED,
        "This Idempotency-Key was used for another request: another route or body. Send a new key with a new request.",
        param="Idempotency-Key",
    )


def _unavailable(request_id: str) -> Conflict:
    return Conflict(
        ErrorReason.IDEMPOTENCY_REPLAY_UNAVAILABLE,
        "The request with this Idempotency-Key was answered and billed, and its answer is too large to be kept. "
        "To ask (and pay) again, send a new key.",
        param="Idempotency-Key",
        details={"original_request_id": request_id},
    )


def _in_progress() -> Conflict:
    return Conflict(
        ErrorReason.IDEMPOTENCY_IN_PROGRESS,
        "The request with this Idempotency-Key is still being answered. Try again with the same key.",
        param="Idempotency-Key",
        retry_after_s=1.0,
    )
