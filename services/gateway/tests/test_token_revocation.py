"""What ends an access token before its time, and how fast every gateway knows."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
from google.protobuf.timestamp_pb2 import Timestamp
from prometheus_client import REGISTRY
from razvilka.auth.v1 import oauth_pb2
from redis.asyncio import Redis

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.identity import revocations
from services.gateway.tests.backends import Backends, caller
from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.tests.identity_backends import access_token


async def ask(edge: Edge, token: str) -> httpx.Response:
    """Ask with a token."""
    return await edge.client.get("/v1/models", headers={"authorization": f"Bearer {token}"})


def revocation(kind: str, id: str) -> dict[str, Any]:
    """Return an entry of the channel."""
    return {"kind": kind, "id": id, "at": int(time.time() * 1000)}


ENDED = [("token", "jti-1"), ("grant", "grant-1"), ("session", "sid-1"), ("client", "app-1"), ("user", "user-1")]


def one_token_for_each_end(backends: Backends) -> dict[str, str]:
    """Return a token for every kind of end; nothing else ends it."""
    tokens = {}
    for kind, id in ENDED:
        own = {"jti": f"jti-{kind}", "gid": f"grant-{kind}", "sid": f"sid-{kind}", "client_id": f"app-{kind}"}
        name = {"token": "jti", "grant": "gid", "session": "sid", "client": "client_id", "user": "sub"}[kind]
        said: dict[str, Any] = {**own, "sub": f"user-{kind}", name: id}
        tokens[kind] = access_token(**said)
        grant_id, user_id = (id if kind == "grant" else f"grant-{kind}"), (id if kind == "user" else f"user-{kind}")
        backends.oauth.grants[grant_id] = caller(user_id=user_id, key_id="", grant_id=grant_id)
    return tokens


async def seconds_until_all_are_refused(edges: list[Edge], tokens: dict[str, str]) -> float:
    """Return how long the last token goes on working on any gateway."""
    return max([await seconds_until_refused(edge, token) for edge in edges for token in tokens.values()])


def pushed_within_a_second() -> float:
    """Return how many pushes took effect within a second, so far."""
    labels = {"source": "push", "le": "1.0"}
    return REGISTRY.get_sample_value("razvilka_gateway_revocation_seconds_bucket", labels) or 0.0


async def test_a_pushed_revocation_ends_tokens_on_every_gateway_within_a_second(
    start_gateway: StartGateway, backends: Backends, redis_client: Redis, tmp_path: Path
) -> None:
    """Two gateways, one push for each kind of end (rule 35)."""
    edges = [await start_gateway(), await start_gateway(journal_dir=tmp_path / "second")]
    tokens = one_token_for_each_end(backends)
    assert {(await ask(edge, token)).status_code for edge in edges for token in tokens.values()} == {200}
    del backends.oauth.grants["grant-user"]
    before = pushed_within_a_second()

    for kind, id in ENDED:
        await redis_client.publish(revocations.CHANNEL, json.dumps(revocation(kind, id)))
    await seconds_until_all_are_refused(edges, tokens)

    # By the gateways' own measure, from the revocation to its effect: asking over HTTP takes time of its own.
    after = pushed_within_a_second()
    assert after - before == len(edges) * len(ENDED)


async def test_a_lost_push_costs_five_seconds_at_most(
    start_gateway: StartGateway, backends: Backends, tmp_path: Path
) -> None:
    """Nothing is pushed and Redis knows nothing: both gateways ask for auth's own list (rule 35)."""
    edges = [await start_gateway(), await start_gateway(journal_dir=tmp_path / "second")]
    tokens = one_token_for_each_end(backends)
    assert {(await ask(edge, token)).status_code for edge in edges for token in tokens.values()} == {200}
    del backends.oauth.grants["grant-user"]
    at = Timestamp()
    at.GetCurrentTime()
    started = time.monotonic()

    backends.oauth.revocations.extend(oauth_pb2.Revocation(kind=kind, id=id, revoked_at=at) for kind, id in ENDED)
    await seconds_until_all_are_refused(edges, tokens)

    assert time.monotonic() - started < 5.0


async def test_the_set_in_redis_serves_when_auth_cannot_list(
    edge: Edge, backends: Backends, redis_client: Redis
) -> None:
    """A push that was lost while auth is away is found in the set (rule 35)."""
    token = access_token()
    await ask(edge, token)
    backends.oauth.failing = Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "down")
    entry = revocation("token", "jti-1")
    await redis_client.zadd(revocations.HISTORY, {json.dumps(entry): entry["at"]})

    assert await seconds_until_refused(edge, token) < 5.0


async def test_a_gateway_that_starts_late_knows_what_ended(start_gateway: StartGateway, redis_client: Redis) -> None:
    """Tokens that ended before the start are refused from the start (rule 35)."""
    entry = revocation("token", "jti-1")
    await redis_client.zadd(revocations.HISTORY, {json.dumps(entry): entry["at"]})
    edge = await start_gateway()

    assert await seconds_until_refused(edge, access_token()) < 1.0


async def seconds_until_refused(edge: Edge, token: str) -> float:
    """Return how long a token goes on working, 10 at most."""
    started = time.monotonic()
    while time.monotonic() - started < 10:
        if (await ask(edge, token)).status_code == 401:
            break
    return time.monotonic() - started
