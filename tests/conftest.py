"""The whole suite as processes, started once for all tests that go through its public face."""

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import pytest
from razvilka.auth.v1 import auth_pb2, auth_pb2_grpc

from bench.suite import Suite, running_suite
from servicekit.rpc_client import open_channel, unary
from tools.stack.environments import DATABASE

TIERS: Final = {"free": auth_pb2.TIER_FREE, "pro": auth_pb2.TIER_PRO, "enterprise": auth_pb2.TIER_ENTERPRISE}


@dataclass(frozen=True, slots=True)
class RunningStack:
    """What a test needs of the running suite."""

    suite: Suite

    @property
    def url(self) -> str:
        """The public address."""
        return self.suite.demo.url

    @property
    def api_key(self) -> str:
        """The demo user's key, of the enterprise tier."""
        return self.suite.demo.api_key

    @property
    def admin_key(self) -> str:
        """A key with the scope `admin`."""
        return self.suite.demo.admin_key

    @property
    def emulator_url(self) -> str:
        """The emulator's control address."""
        return f"http://127.0.0.1:{self.suite.stack.ports['EMULATOR_CONTROL_PORT']}"

    @property
    def auth_target(self) -> str:
        """The auth service's gRPC address."""
        return f"127.0.0.1:{self.suite.stack.ports['AUTH_GRPC_PORT']}"

    def issue_key(self, *, tier: str = "enterprise", **fields: Any) -> str:
        """Make a new account of `tier` and return a key of it; `fields` are those of CreateApiKeyRequest."""
        return asyncio.run(_issue_key(self.auth_target, TIERS[tier], fields))

    def revoke_key(self, key: str) -> None:
        """Revoke a key at the auth service, as its owner would."""
        asyncio.run(_revoke_key(self.auth_target, key))

    def query(self, sql: str, *arguments: Any) -> list[Any]:
        """Read from the suite's database."""
        return asyncio.run(_query(self.suite.stack.admin_dsn(DATABASE), sql, arguments))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The whole suite on free ports, with the emulator and a minimal OpenAI-compatible upstream."""
    with running_suite(tmp_path_factory.mktemp("suite")) as suite:
        yield RunningStack(suite)


async def _issue_key(target: str, tier: Any, fields: dict[str, Any]) -> str:
    async with open_channel(target) as channel:
        stub: Any = auth_pb2_grpc.AuthServiceStub(channel)
        number = secrets.token_hex(6)
        user = await unary(
            stub.CreateUser, auth_pb2.CreateUserRequest(email=f"u{number}@example.com", tier=tier), deadline_s=10
        )
        made = await unary(
            stub.CreateApiKey,
            auth_pb2.CreateApiKeyRequest(user_id=user.user.id, name="test", **fields),
            deadline_s=10,
        )
        return str(made.secret)


async def _revoke_key(target: str, key: str) -> None:
    async with open_channel(target) as channel:
        stub: Any = auth_pb2_grpc.AuthServiceStub(channel)
        answer = await unary(stub.VerifyApiKey, auth_pb2.VerifyApiKeyRequest(secret=key), deadline_s=10)
        request = auth_pb2.RevokeApiKeyRequest(user_id=answer.caller.user_id, key_id=answer.caller.key_id)
        await unary(stub.RevokeApiKey, request, deadline_s=10)


async def _query(dsn: str, sql: str, arguments: tuple[Any, ...]) -> list[Any]:
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch(sql, *arguments))
    finally:
        await connection.close()
