"""Who reaches a port of the suite can do nothing there without a certificate or a password that says who it is."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import redis
from razvilka.auth.v1 import auth_pb2, auth_pb2_grpc
from redis.exceptions import AuthenticationError, NoPermissionError

from servicekit.errors import PermissionDenied, ServiceError, Unavailable
from servicekit.rpc_client import Peer, open_channel, unary
from services.auth.callers import CALLERS as AUTH_CALLERS
from services.router.callers import CALLERS as ROUTER_CALLERS
from services.usage.callers import CALLERS as USAGE_CALLERS
from tools.servers.ports import LOOPBACK
from tools.stack.home import REPOSITORY
from tools.stack.remembered import redis_secret
from tools.stack.running_stack import RunningStack

CLIENTS: Final = REPOSITORY / "services" / "gateway" / "clients"
FOREIGN_KEYS: Final = {
    "gateway": ("auth:session:x", "auth:{guess}:login:x", "router:token:x", "razvilka:auth:pending:x"),
    "router": ("auth:session:x", "gw:{u}:d", "razvilka:auth:revocations"),
    "auth": ("gw:{u}:d", "router:token:x", "razvilka:gateway:oauth:x"),
}
TOO_MUCH: Final = (
    ("KEYS", "*"),
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("CONFIG", "GET", "*"),
    ("ACL", "LIST"),
    ("MONITOR",),
    ("SCRIPT", "FLUSH"),
    ("FUNCTION", "LIST"),
    ("CLIENT", "LIST"),
    ("SHUTDOWN",),
)


def redis_as(stack: RunningStack, user: str) -> redis.Redis:
    """Return a client that logs in as one of Redis's users."""
    password = stack.parts.secrets[redis_secret(user)]
    return redis.Redis(LOOPBACK, int(stack.parts.ports["REDIS_PORT"]), username=user, password=password)


@pytest.mark.parametrize("user", FOREIGN_KEYS)
def test_a_service_cannot_touch_the_keys_of_another(stack: RunningStack, user: str) -> None:
    """One HSET forged a session: it takes auth's own password now."""
    with redis_as(stack, user) as client:
        for key in FOREIGN_KEYS[user]:
            with pytest.raises(NoPermissionError):
                client.hset(key, "user_id", "somebody")
            with pytest.raises(NoPermissionError):
                client.eval("return redis.call('GET', KEYS[1])", 1, key)


@pytest.mark.parametrize("user", FOREIGN_KEYS)
@pytest.mark.parametrize("command", TOO_MUCH, ids=" ".join)
def test_no_service_may_look_around_or_end_redis(stack: RunningStack, user: str, command: tuple[str, ...]) -> None:
    """What only an administrator needs, only the operator may do."""
    with redis_as(stack, user) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command)


def test_redis_knows_nobody_without_a_password(stack: RunningStack) -> None:
    """The default user is off, and the probe may only ping."""
    port = int(stack.parts.ports["REDIS_PORT"])
    with redis.Redis(LOOPBACK, port) as client, pytest.raises(AuthenticationError):
        client.get("auth:session:x")
    with redis.Redis(LOOPBACK, port, username="probe", password="") as client:
        assert client.execute_command("PING")
        with pytest.raises(NoPermissionError):
            client.get("auth:session:x")


def test_a_gateway_may_read_but_not_write_what_is_revoked(stack: RunningStack) -> None:
    """A stolen gateway cannot make a revoked key work again for the others."""
    with redis_as(stack, "gateway") as client:
        client.zrange("razvilka:auth:revocations", 0, -1)
        with pytest.raises(NoPermissionError):
            client.zadd("razvilka:auth:revocations", {"x": 1})
        with pytest.raises(NoPermissionError):
            client.publish("razvilka:auth:revoked", "x")


def test_ordinary_work_is_never_refused_by_redis(stack: RunningStack) -> None:
    """A right that is missing would look like a lost Redis and quietly weaken limits."""
    key = stack.issue_key()
    body = {"model": "yandexgpt:latest", "messages": [{"role": "user", "content": "Привет"}]}
    with redis_as(stack, "operator") as client:
        client.acl_log_reset()

        headers = {"authorization": f"Bearer {key}"}
        answer = httpx.post(f"{stack.url}/v1/chat/completions", headers=headers, json=body, trust_env=False, timeout=30)
        stack.revoke_key(key)

        assert answer.status_code == httpx.codes.OK
        assert client.acl_log() == []


def call_as(stack: RunningStack, service: str, caller: str | None, method: str) -> Exception | None:
    """Send an empty request to a method and return how it was refused, None when it was answered."""
    target = f"{LOOPBACK}:{stack.parts.ports[f'{service.upper()}_GRPC_PORT']}"
    return asyncio.run(_call(target, Peer(service, stack.parts.home.tls / caller) if caller else None, method))


async def _call(target: str, peer: Peer | None, method: str) -> Exception | None:
    async with open_channel(target, peer) as channel:
        raw: Any = channel.stream_unary(method) if method.endswith("/Converse") else channel.unary_unary(method)
        try:
            await unary(raw, iter([]) if method.endswith("/Converse") else b"", deadline_s=10)
        except ServiceError as exc:
            return exc
    return None


@pytest.mark.parametrize("service", ["auth", "router", "usage"])
def test_a_port_answers_nobody_without_a_certificate(stack: RunningStack, service: str) -> None:
    """Without any credential gRPC made an administrator's key."""
    method = "/razvilka.auth.v1.AuthService/CreateApiKey"

    assert isinstance(call_as(stack, service, None, method), Unavailable)


def test_no_service_may_call_another(stack: RunningStack) -> None:
    """Only the gateway calls services; a stolen router opens nothing."""
    for service, methods in (("auth", AUTH_CALLERS), ("router", ROUTER_CALLERS), ("usage", USAGE_CALLERS)):
        for caller in {"auth", "router", "usage"} - {service}:
            for method in methods:
                assert isinstance(call_as(stack, service, caller, method), PermissionDenied), (caller, method)


def test_the_gateway_cannot_make_users_out_of_nothing(stack: RunningStack) -> None:
    """What only the operator's tools do, a stolen gateway cannot."""
    assert isinstance(call_as(stack, "auth", "gateway", "/razvilka.auth.v1.AccountService/SeedUser"), PermissionDenied)


def test_the_gateway_cannot_speak_for_an_operator(stack: RunningStack) -> None:
    """Nobody bounds what an operator makes: who says so must have the certificate."""
    request = auth_pb2.CreateApiKeyRequest(
        user_id=stack.new_account().user_id, name="x", scopes=["models:read"], by_operator=True
    )

    async def ask_auth() -> None:
        async with open_channel(stack.auth.target, Peer("auth", stack.parts.home.tls / "gateway")) as channel:
            stub: Any = auth_pb2_grpc.AuthServiceStub(channel)
            await unary(stub.CreateApiKey, request, deadline_s=10.0)

    with pytest.raises(PermissionDenied):
        asyncio.run(ask_auth())


def test_an_operators_certificate_does_not_pass_for_the_gateway(stack: RunningStack) -> None:
    """Nobody's tools log people in."""
    assert isinstance(call_as(stack, "auth", "operator", "/razvilka.auth.v1.AccountService/Login"), PermissionDenied)


def test_an_operators_certificate_opens_what_the_tools_need(stack: RunningStack) -> None:
    """The rows that let the tools in do let them in."""
    assert stack.issue_key().startswith("rz_")


def called_by_the_gateway() -> Iterator[str]:
    """Yield the names of the RPCs in the gateway's clients."""
    for file in CLIENTS.rglob("*.py"):
        yield from _called_in(file)


def _called_in(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self._stub", "stub"):
            yield node.attr


def test_every_call_of_the_gateway_has_a_row_that_lets_it_in_and_no_other() -> None:
    """Least privilege, both ways: nothing it needs is refused, nothing it does not need is open to it."""
    rows = AUTH_CALLERS | ROUTER_CALLERS | USAGE_CALLERS
    open_to_it = {method.rpartition("/")[2] for method, callers in rows.items() if "gateway" in callers}

    assert set(called_by_the_gateway()) == open_to_it
