"""The running suite as tests see it: addresses, keys, accounts, and what happens to its processes."""

import asyncio
import os
import secrets
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil
import pytest
from razvilka.auth.v1 import account_pb2, account_pb2_grpc, auth_pb2, auth_pb2_grpc
from redis import Redis

from servicekit.rpc_client import unary
from tools.accounts.demo import Auth, Demo
from tools.servers.ports import LOOPBACK
from tools.stack.environments import DATABASE
from tools.stack.readiness import wait_until_ready
from tools.stack.redis_kinds import RedisServers, sync_client
from tools.stack.remembered import redis_secret
from tools.stack.up import Stack

TIERS: Final = {"free": auth_pb2.TIER_FREE, "pro": auth_pb2.TIER_PRO, "enterprise": auth_pb2.TIER_ENTERPRISE}
CHANGE_DEADLINE_S: Final = 60.0
# A handshake on a busy machine may be cut and tried again: that is no answer to a call.
PATIENT: Final[Any] = {"deadline_s": 60.0, "wait_for_ready": True}


@dataclass(frozen=True, slots=True)
class Target:
    """A running service's gRPC port, and the folder of everybody's certificates."""

    service: str
    address: str
    tls: Path


@dataclass(frozen=True, slots=True)
class Account:
    """A user with one key."""

    user_id: str
    key_id: str
    key: str


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A running suite; `own` is None when it was started by somebody else and only its HTTP face is in reach.

    `operator` is auth of such a suite, where its address and the operator's certificate were given; `redis_servers` is
    a Redis of several servers, where the suite has one in place of its own.
    """

    demo: Demo
    own: Stack | None
    operator: Auth | None = None
    redis_servers: RedisServers | None = None

    @property
    def parts(self) -> Stack:
        """Return what this process started; skip the test when that is nothing."""
        if self.own is None:
            pytest.skip("the suite was not started by the tests: its processes are out of reach")
        return self.own

    @property
    def url(self) -> str:
        """Return the gateway's address, without `/v1`."""
        return self.demo.url

    @property
    def api_key(self) -> str:
        """Return the key of the demo user (enterprise tier)."""
        return self.demo.api_key

    @property
    def admin_key(self) -> str:
        """Return a key with the scope `admin`."""
        return self.demo.admin_key

    @property
    def emulator_url(self) -> str:
        """Return the emulator's control address: faults are set and the ground truth is read there."""
        return f"http://{LOOPBACK}:{self.parts.ports['EMULATOR_CONTROL_PORT']}"

    def target(self, service: str) -> Target:
        """Return a gRPC service for whoever brings a certificate."""
        address = f"{LOOPBACK}:{self.parts.ports[f'{service.upper()}_GRPC_PORT']}"
        return Target(service, address, self.parts.home.tls)

    @property
    def auth(self) -> Auth:
        """Return the auth service, as an operator calls it; skip the test where that cannot be."""
        return self.operator or self.parts.auth

    def redis(self, user: str = "operator") -> Redis:
        """Return a client of the suite's Redis, of whichever kind it is, as one of its users."""
        password = self.parts.secrets[redis_secret(user)]
        return sync_client(self.parts.environments.redis_settings, user, password)

    def redis_of_each(self, user: str = "operator") -> list[Redis]:
        """Return a client of each server of the suite's Redis, as one of its users."""
        nodes = self.redis_servers.servers.nodes if self.redis_servers else ()
        ports = [node.port for node in nodes] or [int(self.parts.ports["REDIS_PORT"])]
        password = self.parts.secrets[redis_secret(user)]
        return [Redis(LOOPBACK, port, username=user, password=password) for port in ports]

    def metrics_url(self, service: str) -> str:
        """Return where a service's metrics are."""
        return f"http://{LOOPBACK}:{self.parts.ports[f'{service.upper()}_METRICS_PORT']}/metrics"

    def log(self, program: str) -> Path:
        """Return a program's log."""
        return self.parts.home.log(program)

    def issue_key(self, *, tier: str = "enterprise", **fields: Any) -> str:
        """Make a new account of `tier` and return a key of it; `fields` are those of CreateApiKeyRequest."""
        return self.new_account(tier=tier, **fields).key

    def new_account(self, *, tier: str = "enterprise", **fields: Any) -> Account:
        """Make a new account of `tier` with one key; `fields` are those of CreateApiKeyRequest."""
        return asyncio.run(_new_account(self.auth, TIERS[tier], fields))

    def revoke_key(self, key: str) -> None:
        """Revoke a key at the auth service, as its owner would."""
        asyncio.run(_revoke_key(self.auth, key))

    def query(self, sql: str, *arguments: Any) -> list[Any]:
        """Read from the suite's database as its superuser."""
        return asyncio.run(_query(self.parts.admin_dsn(DATABASE), sql, arguments))

    def pid(self, program: str) -> int:
        """Return a program's process id, 0 when it does not run."""
        return next((each.pid for each in self.parts.supervisor.states() if each.name == program), 0)

    def redis_pids(self) -> list[int]:
        """Return the processes of the suite's Redis."""
        return self.redis_servers.pids if self.redis_servers else [self.pid("redis")]

    def kill_redis(self) -> None:
        """SIGKILL it, all of its servers at once, and return when they were started again."""
        if self.redis_servers:
            self.redis_servers.begin_anew()
        else:
            self.kill("redis")

    def kill(self, program: str) -> None:
        """SIGKILL a program and return when the supervisor has started it again."""
        killed = self.pid(program)
        os.kill(killed, signal.SIGKILL)
        give_up_at = time.monotonic() + CHANGE_DEADLINE_S
        while self.pid(program) in (0, killed) or not psutil.pid_exists(self.pid(program)):
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"{program} was not started again")
            time.sleep(0.05)

    def stop(self, program: str) -> None:
        """Stop a program in order and leave it stopped."""
        self.parts.supervisor.stop([program], deadline_s=CHANGE_DEADLINE_S)

    def start(self, program: str) -> None:
        """Start a stopped program."""
        self.parts.supervisor.start(program)

    def wait_until_ready(self) -> None:
        """Return when the gateway says that everything can serve."""
        wait_until_ready(self.parts.home, self.parts.supervisor, self.url)


async def _new_account(auth: Auth, tier: Any, fields: dict[str, Any]) -> Account:
    async with auth.channel() as channel:
        stub: Any = auth_pb2_grpc.AuthServiceStub(channel)
        accounts: Any = account_pb2_grpc.AccountServiceStub(channel)
        email, password = f"u{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(18)
        new_user = account_pb2.SeedUserRequest(email=email, password=password, tier=tier)
        user = await unary(accounts.SeedUser, new_user, **PATIENT)
        new_key = auth_pb2.CreateApiKeyRequest(user_id=user.user_id, name="test", by_operator=True, **fields)
        made = await unary(stub.CreateApiKey, new_key, **PATIENT)
        return Account(user.user_id, made.key.id, made.secret)


async def _revoke_key(auth: Auth, key: str) -> None:
    async with auth.channel() as channel:
        stub: Any = auth_pb2_grpc.AuthServiceStub(channel)
        holder = await unary(stub.VerifyApiKey, auth_pb2.VerifyApiKeyRequest(secret=key), **PATIENT)
        revoke = auth_pb2.RevokeApiKeyRequest(user_id=holder.caller.user_id, key_id=holder.caller.key_id)
        await unary(stub.RevokeApiKey, revoke, **PATIENT)


async def _query(dsn: str, sql: str, arguments: tuple[Any, ...]) -> list[Any]:
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch(sql, *arguments))
    finally:
        await connection.close()
