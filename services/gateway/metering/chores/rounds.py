"""What one gateway of the fleet does every now and then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from servicekit.clock import Clock
from servicekit.errors import ServiceError, name_of
from services.gateway.metering.interfaces import ElectsLeader

log = structlog.get_logger()


async def again_and_again(
    election: ElectsLeader,
    chore: str,
    work: Callable[[], Awaitable[object]],
    *,
    clock: Clock,
    every_s: float,
    timeout_s: float,
    missed: str,
) -> None:
    """Wait, then do the chore if this gateway is elected, for ever; cancel it to stop.

    A round that takes longer than `timeout_s`, or for which somebody is away, is logged as `missed`; the next follows.
    """
    while True:
        await clock.sleep(every_s)
        try:
            async with election.elected(chore, timeout_s=timeout_s) as chosen:
                if chosen:
                    await work()
        except (TimeoutError, ServiceError, OSError) as exc:
            log.warning(missed, error=name_of(exc))
