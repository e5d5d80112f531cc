"""Each service has a user of its own in Redis, which can do what the service does there and nothing else."""

from __future__ import annotations

from typing import Final

import httpx
import pytest
import redis
from redis.exceptions import AuthenticationError, NoPermissionError

from tools.servers.ports import LOOPBACK
from tools.stack.running_stack import RunningStack

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


@pytest.mark.parametrize("user", FOREIGN_KEYS)
def test_a_service_cannot_touch_the_keys_of_another(stack: RunningStack, user: str) -> None:
    """One HSET forged a session: it takes auth's own password now."""
    with stack.redis(user) as client:
        for key in FOREIGN_KEYS[user]:
            with pytest.raises(NoPermissionError):
                client.hset(key, "user_id", "somebody")
            with pytest.raises(NoPermissionError):
                client.eval("return redis.call('GET', KEYS[1])", 1, key)


@pytest.mark.parametrize("user", FOREIGN_KEYS)
@pytest.mark.parametrize("command", TOO_MUCH, ids=" ".join)
def test_no_service_may_look_around_or_end_redis(stack: RunningStack, user: str, command: tuple[str, ...]) -> None:
    """What only an administrator needs, only the operator may do."""
    for server in stack.redis_of_each(user):
        with server, pytest.raises(NoPermissionError):
            server.execute_command(*command)


def test_redis_knows_nobody_without_a_password(stack: RunningStack) -> None:
    """The default user is off, and the probe may only ping."""
    for server in stack.redis_of_each():
        port = server.get_connection_kwargs()["port"]
        with redis.Redis(LOOPBACK, port) as client, pytest.raises(AuthenticationError):
            client.get("auth:session:x")
        with redis.Redis(LOOPBACK, port, username="probe", password="") as client:
            assert client.execute_command("PING")
            with pytest.raises(NoPermissionError):
                client.get("auth:session:x")


def test_a_gateway_may_read_but_not_write_what_is_revoked(stack: RunningStack) -> None:
    """A stolen gateway cannot make a revoked key work again for the others."""
    with stack.redis("gateway") as client:
        client.zrange("razvilka:auth:revocations", 0, -1)
        with pytest.raises(NoPermissionError):
            client.zadd("razvilka:auth:revocations", {"x": 1})
        with pytest.raises(NoPermissionError):
            client.publish("razvilka:auth:revoked", "x")


def test_ordinary_work_is_never_refused_by_redis(stack: RunningStack) -> None:
    """A right that is missing would look like a lost Redis and quietly weaken limits."""
    key = stack.issue_key()
    body = {"model": "yandexgpt:latest", "messages": [{"role": "user", "content": "Привет"}]}
    servers = stack.redis_of_each()
    for server in servers:
        server.acl_log_reset()

    headers = {"authorization": f"Bearer {key}"}
    answer = httpx.post(f"{stack.url}/v1/chat/completions", headers=headers, json=body, trust_env=False, timeout=30)
    stack.revoke_key(key)

    assert answer.status_code == httpx.codes.OK
    assert [server.acl_log() for server in servers] == [[] for _ in servers]
