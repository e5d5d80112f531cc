"""Budget counters that Redis lost, or never had, come from what the usage service stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import structlog

from servicekit.errors import ErrorReason, ServiceError, Unavailable
from servicekit.lifecycle import Background
from services.gateway.admission import metrics
from services.gateway.admission.keys import details_key, parse_budget_key
from services.gateway.admission.redis.script_runner import ScriptRunner
from services.gateway.admission.redis.scripts import SEED
from services.gateway.admission.wire import SeedCall, pack

log = structlog.get_logger()

SpendOf = Callable[[str, str, datetime | None], Awaitable[int]]
"""(user id, subject, since) -> micro-roubles of the stored rows."""


class BudgetRebuild:
    """Fills missing counters; callers that miss the same one wait for the same question."""

    def __init__(self, runner: ScriptRunner, spend_of: SpendOf, background: Background, *, timeout_s: float) -> None:
        self._runner = runner
        self._spend_of = spend_of
        self._background = background
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
            raise _unknown_spend() from None

    def _begin(self, key: str) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Nobody may be waiting any more when it fails; that is no "exception was never retrieved".
        done.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._under_way[key] = done
        self._background.start(self._fill_one(key, done), name="admission.rebuild")
        return done

    async def _fill_one(self, key: str, done: asyncio.Future[None]) -> None:
        try:
            user_id, subject, since = parse_budget_key(key)
            spent = await self._spend_of(user_id, subject, since)
            if await self._runner.run(SEED, details_key(user_id), pack(SeedCall(key, spent))):
                metrics.REBUILT.inc()
            done.set_result(None)
        except ServiceError as exc:
            log.warning("admission.spend_unknown", reason=exc.reason.value)
            done.set_exception(_unknown_spend())
        except BaseException as exc:
            done.set_exception(exc if isinstance(exc, Exception) else _unknown_spend())
            if not isinstance(exc, Exception):
                raise
        finally:
            self._under_way.pop(key, None)


def _unknown_spend() -> Unavailable:
    return Unavailable(
        ErrorReason.SERVICE_UNAVAILABLE, "Spending cannot be checked right now; try again shortly.", retry_after_s=2.0
    )
