"""What an old password proved counts for nothing once another one is set, however close the two come."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

import asyncpg
import pytest
from razvilka.auth.v1 import account_pb2 as pb

from servicekit.errors import ErrorReason, ServiceError
from services.auth.tests.accounts.conftest import EMAIL, PASSWORD, People

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
HERS = "anna@attacker.example"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
SET_ANOTHER = """
UPDATE auth.users
SET password_hash = '$another', session_epoch = session_epoch + 1
WHERE id = $1
"""


async def until_somebody_waits(pool: Pool) -> None:
    """Return when a transaction waits for another."""
    async with asyncio.timeout(60):
        while not await pool.fetchval(WAITING):
            await asyncio.sleep(0.01)


def with_old_password(user_id: str) -> dict[str, Any]:
    """Return what the old password is good for."""
    return {
        "another password": pb.ChangePasswordRequest(
            user_id=user_id, current_password=PASSWORD, new_password="a heron over Kizhi 4"
        ),
        "another address": pb.UpdateProfileRequest(user_id=user_id, email=HERS, current_password=PASSWORD),
        "the end": pb.DeleteAccountRequest(user_id=user_id, password=PASSWORD),
        "a second factor": pb.EnrollTotpRequest(user_id=user_id, password=PASSWORD),
    }


@pytest.mark.parametrize("what", list(with_old_password("")))
async def test_whoever_proved_an_old_password_comes_too_late_behind_a_new_one(
    people: People, auth_pool: Pool, what: str
) -> None:
    """The password was right when it was looked at; it is another one when the change is made."""
    user_id = await people.seed()

    async with auth_pool.acquire() as owner:
        reset = owner.transaction()
        await reset.start()
        await owner.execute("SELECT FROM auth.users WHERE id = $1 FOR UPDATE", user_id)
        asking = asyncio.create_task(people.call(with_old_password(user_id)[what]))
        await until_somebody_waits(auth_pool)
        await owner.execute(SET_ANOTHER, user_id)
        await reset.commit()
        with pytest.raises(ServiceError) as refusal:
            await asking

    assert refusal.value.reason is ErrorReason.INVALID_CREDENTIALS
    row = await auth_pool.fetchrow(
        "SELECT password_hash, deleted_at, totp_sealed FROM auth.users WHERE id = $1", user_id
    )
    assert row is not None
    assert tuple(row) == ("$another", None, None)
    assert [mail.to for mail in await people.outbox() if mail.to != EMAIL] == []
