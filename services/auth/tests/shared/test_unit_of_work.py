"""A unit of work: everything in it becomes true together, and nobody is told before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from servicekit.errors import Unavailable
from servicekit.testing import FakeClock
from services.auth.shared.domain.audit import SYSTEM, AuditAction, AuditEvent
from services.auth.shared.domain.revocation import Revocation, RevokedKind
from services.auth.shared.store.unit_of_work import ATTEMPTS, UnitOfWork, UnitsOfWork

KEEP = timedelta(hours=1)


class Gateways:
    """What the gateways were told, and what was committed when they were."""

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self.told: list[tuple[str, int]] = []
        self._pool = pool

    async def announce(self, revocation: Revocation) -> None:
        """Hear of a revocation."""
        committed = await self._pool.fetchval("SELECT count(*) FROM auth.revocations")
        self.told.append((revocation.subject_id, committed))


@pytest.fixture
def gateways(auth_pool: asyncpg.Pool[Any]) -> Gateways:
    """Return those who listen."""
    return Gateways(auth_pool)


@pytest.fixture
def units(auth_pool: asyncpg.Pool[Any], gateways: Gateways, clock: FakeClock) -> UnitsOfWork:
    """Return units of work."""
    return UnitsOfWork(auth_pool, gateways.announce, believed_for=KEEP, clock=clock)


async def end_a_key(unit: UnitOfWork) -> None:
    """Revoke something, with its audit row."""
    await unit.revoke(RevokedKind.KEY, "k1")
    unit.record(AuditEvent(unit.at, SYSTEM, AuditAction.KEY_REVOKED, "key:k1"))


async def rows(pool: asyncpg.Pool[Any]) -> tuple[int, int]:
    """Return how many revocations and audit rows there are."""
    revocations = await pool.fetchval("SELECT count(*) FROM auth.revocations")
    return revocations, await pool.fetchval("SELECT count(*) FROM auth.audit_log")


async def test_gateways_are_told_what_is_committed(
    units: UnitsOfWork, gateways: Gateways, auth_pool: asyncpg.Pool[Any], clock: FakeClock
) -> None:
    """The revocation and its audit row are there when the first gateway hears of it; it is believed for its time."""
    await units.run(end_a_key)

    until = await auth_pool.fetchval("SELECT until FROM auth.revocations")
    assert gateways.told == [("k1", 1)]
    assert await rows(auth_pool) == (1, 1)
    assert until == clock.now() + KEEP


async def test_what_fails_leaves_nothing_and_tells_nobody(
    units: UnitsOfWork, gateways: Gateways, auth_pool: asyncpg.Pool[Any]
) -> None:
    """Neither row, audit row nor push."""

    async def fail_late(unit: UnitOfWork) -> None:
        await end_a_key(unit)
        raise KeyError

    with pytest.raises(KeyError):
        await units.run(fail_late)
    with pytest.raises(KeyError):
        async with units.begin(UnitOfWork) as unit:
            await fail_late(unit)

    assert gateways.told == []
    assert await rows(auth_pool) == (0, 0)


async def test_work_that_met_another_transaction_is_done_again(
    units: UnitsOfWork, gateways: Gateways, auth_pool: asyncpg.Pool[Any]
) -> None:
    """Once: the attempt that lost has left nothing."""
    attempts = 0

    async def lose_first(unit: UnitOfWork) -> int:
        nonlocal attempts
        attempts += 1
        await end_a_key(unit)
        if attempts == 1:
            raise asyncpg.DeadlockDetectedError
        return attempts

    assert await units.run(lose_first) == 2
    assert [subject for subject, _ in gateways.told] == ["k1"]
    assert await rows(auth_pool) == (1, 1)


async def test_who_always_loses_is_told_to_come_again(units: UnitsOfWork, gateways: Gateways) -> None:
    """After a few attempts, or at once where the work is a block that cannot be done again."""
    attempts = 0

    async def lose(_: UnitOfWork) -> None:
        nonlocal attempts
        attempts += 1
        raise asyncpg.SerializationError

    with pytest.raises(Unavailable):
        await units.run(lose)
    with pytest.raises(Unavailable):
        async with units.begin(UnitOfWork) as unit:
            await lose(unit)

    assert attempts == ATTEMPTS + 1
    assert gateways.told == []
