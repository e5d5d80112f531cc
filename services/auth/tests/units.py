"""Units of work without the rest of the service."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import asyncpg

from servicekit.clock import Clock
from services.auth.shared.domain.revocation import Revocation
from services.auth.shared.store.unit_of_work import UnitOfWork, UnitsOfWork

KEEP = timedelta(hours=1)


def units_over(pool: asyncpg.Pool[Any], clock: Clock) -> UnitsOfWork:
    """Return units of work of which no gateway is told."""
    return UnitsOfWork(pool, _tell_nobody, believed_for=KEEP, clock=clock)


def begin(pool: asyncpg.Pool[Any], clock: Clock) -> AbstractAsyncContextManager[UnitOfWork]:
    """Begin a unit of work of which nobody is told."""
    return units_over(pool, clock).begin(UnitOfWork)


async def _tell_nobody(_: Revocation) -> None:
    pass
