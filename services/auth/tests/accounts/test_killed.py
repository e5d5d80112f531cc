"""SIGKILL in the middle of a use case."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

import pytest
from razvilka.auth.v1 import account_pb2 as pb
from razvilka.auth.v1.account_pb2_grpc import AccountServiceStub
from razvilka.auth.v1.auth_pb2_grpc import AuthServiceStub

from servicekit import rpc_client
from servicekit.clock import SystemClock
from servicekit.errors import ErrorReason, ServiceError
from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from services.auth.server import running
from services.auth.settings import AuthSettings
from services.auth.tests.accounts.conftest import EMAIL, PASSWORD, People
from services.auth.tests.accounts.test_passwords import NEW, reset_token
from services.auth.tests.accounts.test_sessions import revoked
from services.auth.tests.conftest import PEPPER, AuthCaller
from services.auth.tests.test_server import until_readiness_is
from tools.testing.patience import patient_variables


async def test_killed_between_commit_and_redis_a_reset_is_whole(
    people_settings: AuthSettings,
    auth_dsn: str,
    redis_url: str,
    redis_client: Any,
    free_port: int,
) -> None:
    """The new password counts, the old session is over, and the gateways are told by whoever starts next."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AUTH_")} | {
        "AUTH_POSTGRES_DSN": auth_dsn,
        "AUTH_REDIS_URL": redis_url,
        **patient_variables("auth"),
        "AUTH_KEY_PEPPER": PEPPER,
        "AUTH_PASSWORD_MEMORY_KIB": "64",
        "AUTH_GRPC_PORT": str(free_port),
        "AUTH_DEMO": "true",
        "AUTH_OUTBOX": "true",
        "RAZVILKA_FAILPOINTS_ALLOWED": "1",
        # Seeding, asking, the login; the fourth change is the reset.
        "RAZVILKA_FAILPOINT": "auth.account_committed:4",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.auth", "serve"), env=environment, stdout=-3, stderr=-3
    )
    try:
        async with rpc_client.open_channel(f"127.0.0.1:{free_port}") as channel:
            await until_readiness_is(channel, serving=True)
            doomed = People(AccountServiceStub(channel), AuthCaller(AuthServiceStub(channel), auth_dsn), FakeClock())
            await doomed.seed()
            session = await doomed.log_in()
            token = await reset_token(doomed)
            with pytest.raises(ServiceError):
                await doomed.call(pb.ResetPasswordRequest(token=token, password=NEW))
        returned = await asyncio.wait_for(process.wait(), timeout=60)
    finally:
        if process.returncode is None:
            process.kill()

    # The process that died lived by the machine's clock; so does its successor.
    async with running(people_settings, SystemClock()) as port, ready_channel(port) as channel:
        people = People(AccountServiceStub(channel), AuthCaller(AuthServiceStub(channel), auth_dsn), FakeClock())
        alive = await people.is_logged_in(session.session_id)
        old = await people.refused_login(EMAIL, PASSWORD)
        login = await people.log_in(password=NEW)
        async with asyncio.timeout(60):
            while ("session", session.session.id) not in await revoked(redis_client):
                await asyncio.sleep(0.01)

    assert returned == -signal.SIGKILL
    assert not alive
    assert old.reason is ErrorReason.INVALID_CREDENTIALS
    assert login.session_id
