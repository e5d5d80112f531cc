"""Periodic jobs of the service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from servicekit.clock import Clock
from servicekit.errors import ServiceError, cause_of
from services.auth.shared import metrics

log = structlog.get_logger()

# An hourly job that failed because PostgreSQL was down should not wait an hour.
RETRY_S: Final = 10.0


async def repeat(job: Callable[[], Awaitable[object]], *, name: str, every_s: float, clock: Clock) -> None:
    """Run the job now and then every so many seconds, whatever becomes of one run."""
    while True:
        wait_s = min(every_s, RETRY_S)
        try:
            await job()
            wait_s = every_s
        except ServiceError as exc:
            # PostgreSQL or Redis is down: expected, readiness and the metric say so.
            metrics.UPKEEP_FAILURES.labels(name).inc()
            log.warning("auth.upkeep_postponed", job=name, reason=exc.reason.value, **cause_of(exc))
        except Exception:
            metrics.UPKEEP_FAILURES.labels(name).inc()
            log.exception("auth.upkeep_failed", job=name)
        await clock.sleep(wait_s)
