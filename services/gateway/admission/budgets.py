"""Budget counters that Redis lost, or never had, come from what the usage service stored.

Rows may still be on their way when it is asked: it is asked again, until everything that ended before has arrived.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from servicekit.clock import Clock
from servicekit.errors import ServiceError, name_of
from servicekit.lifecycle import Background
from services.gateway.admission import metrics
from services.gateway.admission.keys import CountedSpan, details_key, parse_budget_key
from services.gateway.admission.redis.running import RedisLost, RunsScripts
from services.gateway.admission.redis.scripts import RECOUNT, SEED
from services.gateway.admission.request import spending_unknown
from services.gateway.admission.wire import RecountCall, SeedCall, pack

log = structlog.get_logger()

RETRY_AFTER_S: Final = 2.0
# More than the clocks of two gateways may differ: nothing that was running when a counter was rebuilt has a newer id.
EPOCH_AHEAD_S: Final = 5.0
# Seconds between the counts after a rebuild: rows take milliseconds when all is well, and the last count comes when
# also a gateway that was restarted has shipped its journal. What is later still is left to the reconciliation.
COUNTED_AGAIN_S: Final = (0.5, 1.5, 4.0, 8.0, 16.0)

SpendOf = Callable[[str, str, datetime | None, datetime | None], Awaitable[int]]
"""(user id, subject, since, until before) -> micro-roubles of the stored rows; None: without that end."""


class BudgetRebuild:
    """Fills missing counters; callers that miss the same one wait for the same question."""

    def __init__(
        self, runner: RunsScripts, spend_of: SpendOf, background: Background, *, clock: Clock, timeout_s: float
    ) -> None:
        self._runner = runner
        self._spend_of = spend_of
        self._background = background
        self._clock = clock
        self._timeout_s = timeout_s
        self._under_way: dict[str, asyncio.Future[None]] = {}

    async def fill(self, keys: Sequence[str]) -> None:
        """Make the counters exist.

        Raises:
            Unavailable: the usage service did not say what was spent.
            RedisLost: Redis went away meanwhile.
        """
        waiting = [self._under_way.get(key) or self._begin(key) for key in keys]
        try:
            async with asyncio.timeout(self._timeout_s):
                for done in waiting:
                    # Shielded: a caller that leaves must not end the question for the others.
                    await asyncio.shield(done)
        except TimeoutError:
            raise spending_unknown(retry_after_s=RETRY_AFTER_S) from None

    def begin(self, key: str) -> None:
        """Have a counter made, without waiting for it."""
        if key not in self._under_way:
            self._begin(key)

    def _begin(self, key: str) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Nobody may be waiting any more when it fails; that is no "exception was never retrieved".
        done.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._under_way[key] = done
        self._background.start(self._fill_one(key, done), name="admission.rebuild")
        return done

    async def _fill_one(self, key: str, done: asyncio.Future[None]) -> None:
        try:
            span, epoch_ms = parse_budget_key(key), self._next_epoch_ms()
            newer = await self._spent_from(span, epoch_ms)
            call = SeedCall(key, await self._spent(span, epoch_ms), newer, epoch_ms)
            if await self._runner.run(SEED, details_key(span.user_id), pack(call)):
                metrics.REBUILT.inc()
                self._background.start(self._count_again(key, epoch_ms), name="admission.recount")
            done.set_result(None)
        except ServiceError as exc:
            log.warning("admission.spend_unknown", reason=exc.reason.value)
            done.set_exception(spending_unknown(retry_after_s=RETRY_AFTER_S))
        except BaseException as exc:
            done.set_exception(exc if isinstance(exc, Exception) else spending_unknown(retry_after_s=RETRY_AFTER_S))
            if not isinstance(exc, Exception):
                raise
        finally:
            self._under_way.pop(key, None)

    async def _count_again(self, key: str, epoch_ms: int) -> None:
        span = parse_budget_key(key)
        for pause_s in COUNTED_AGAIN_S:
            await self._clock.sleep(pause_s)
            try:
                call = RecountCall(key, epoch_ms, await self._spent(span, epoch_ms))
                if await self._runner.run(RECOUNT, details_key(span.user_id), pack(call)):
                    metrics.RECOUNTED.inc()
            except (ServiceError, RedisLost) as exc:
                log.warning("admission.recount_missed", error=name_of(exc))

    async def _spent(self, span: CountedSpan, epoch_ms: int) -> int:
        """Return what requests of the span cost whose ids are older than the epoch."""
        epoch = datetime.fromtimestamp(epoch_ms / 1000, UTC)
        until = epoch if span.until is None else min(epoch, span.until)
        return await self._spend_of(span.user_id, span.subject, span.since, until)

    async def _spent_from(self, span: CountedSpan, epoch_ms: int) -> int:
        epoch = datetime.fromtimestamp(epoch_ms / 1000, UTC)
        if span.until is not None and epoch >= span.until:
            return 0
        since = epoch if span.since is None else max(epoch, span.since)
        return await self._spend_of(span.user_id, span.subject, since, span.until)

    def _next_epoch_ms(self) -> int:
        return int((self._clock.now() + timedelta(seconds=EPOCH_AHEAD_S)).timestamp() * 1000)
