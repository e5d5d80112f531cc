"""The dependencies that every room gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from servicekit.clock import Clock
from servicekit.lifecycle import Background
from services.auth.shared.domain.bounds import Bounds
from services.auth.shared.revocation_feed import RevocationFeed
from services.auth.shared.store.unit_of_work import Pool, UnitsOfWork

if TYPE_CHECKING:
    from redis.asyncio import Redis


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Stores, the channel to the gateways, the clock, and an owner of background work."""

    pool: Pool
    redis: Redis
    units: UnitsOfWork
    feed: RevocationFeed
    background: Background
    clock: Clock
    bounds: Bounds
