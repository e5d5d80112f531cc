"""What ends a credential before its time, and that every gateway knows.

The gateways' clocks stand still: no cache expires and no timer runs, so what ends a credential here is the revocation.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from prometheus_client import REGISTRY
from razvilka.auth.v1 import oauth_pb2
from redis.asyncio import Redis

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing.fake_clock import FakeClock
from services.gateway.identity import revocations
from services.gateway.tests.backends import Backends, caller
from services.gateway.tests.conftest import Edge, StartGateway, until_listening
from services.gateway.tests.identity_backends import access_token

CLAIMS = {"token": "jti", "grant": "gid", "session": "sid", "client": "client_id", "user": "sub"}
# A kind of end -> the credentials that it ends.
ENDS = {**{kind: {kind} for kind in (*CLAIMS, "key")}, "user": {"user", "key of the user"}}


async def status(edge: Edge, credential: str) -> int:
    """Return how a request with this credential is answered."""
    answer: httpx.Response = await edge.client.get("/v1/models", headers={"authorization": f"Bearer {credential}"})
    return answer.status_code


def revocation(kind: str) -> dict[str, Any]:
    """Return the entry of the channel that ends the credential of this kind, and no other."""
    return {"kind": kind, "id": f"ended-{kind}", "at": int(time.time() * 1000)}


def credential_for_each_kind(backends: Backends) -> dict[str, str]:
    """Return a credential for every kind of end; each has names of its own in all it says."""
    credentials = {"key": "rz_live_ended", "key of the user": "rz_live_of_user"}
    backends.auth.callers["rz_live_ended"] = caller(key_id="ended-key", user_id="owner-of-key")
    backends.auth.callers["rz_live_of_user"] = caller(key_id="another-key", user_id="ended-user")
    for kind, claim in CLAIMS.items():
        said: dict[str, Any] = {name: f"{name}-of-{kind}" for name in CLAIMS.values()} | {claim: f"ended-{kind}"}
        credentials[kind] = access_token(**said)
        grant = caller(user_id=said["sub"], key_id="", grant_id=said["gid"])
        backends.oauth.grants[said["gid"]] = grant
    return credentials


def forget_the_user(backends: Backends) -> None:
    """Make auth say no for the user: after the end of a user everything of theirs is asked for again."""
    del backends.oauth.grants["gid-of-user"]
    del backends.auth.callers["rz_live_of_user"]


async def until_refused(edge: Edge, credential: str) -> None:
    """Wait until a credential counts no more. Fails when it goes on to."""
    async with asyncio.timeout(30):
        while await status(edge, credential) != 401:
            await asyncio.sleep(0.005)


async def until_only_these_are_refused(edges: list[Edge], credentials: Mapping[str, str], ended: set[str]) -> None:
    """Wait until these kinds are refused on every gateway, and check that the others are not."""
    for edge in edges:
        for kind in ended:
            await until_refused(edge, credentials[kind])
        for kind in credentials.keys() - ended:
            assert await status(edge, credentials[kind]) == 200, (kind, ended)


async def start_two(start_gateway: StartGateway, tmp_path: Path) -> tuple[list[Edge], list[FakeClock]]:
    """Return two gateways and their clocks."""
    clocks = [FakeClock(datetime.now(UTC)) for _ in range(2)]
    edges = [
        await start_gateway(clock=clock, journal_dir=tmp_path / f"journal-{number}")
        for number, clock in enumerate(clocks)
    ]
    return edges, clocks


def pushes() -> float:
    """Return how many pushes took effect, so far, on all gateways of this process."""
    return REGISTRY.get_sample_value("razvilka_gateway_revocation_seconds_count", {"source": "push"}) or 0.0


async def test_a_push_of_each_kind_ends_what_it_names_and_nothing_else(
    start_gateway: StartGateway, backends: Backends, redis_client: Redis, tmp_path: Path
) -> None:
    """On every gateway, without any timer (rule 35). How long a push takes is measured, too."""
    edges, _ = await start_two(start_gateway, tmp_path)
    credentials = credential_for_each_kind(backends)
    await until_only_these_are_refused(edges, credentials, set())
    forget_the_user(backends)
    await until_only_these_are_refused(edges, credentials, set())
    await until_listening(redis_client, len(edges))
    before = pushes()

    ended: set[str] = set()
    for kind, names in ENDS.items():
        await redis_client.publish(revocations.CHANNEL, json.dumps(revocation(kind)))
        ended |= names
        await until_only_these_are_refused(edges, credentials, ended)

    assert pushes() - before == len(edges) * len(ENDS)


@pytest.mark.parametrize("kind", ENDS)
async def test_a_lost_push_costs_one_question_to_auth(
    start_gateway: StartGateway, backends: Backends, tmp_path: Path, kind: str
) -> None:
    """Nothing is pushed and Redis knows nothing: both gateways ask for auth's own list (rule 35)."""
    edges, clocks = await start_two(start_gateway, tmp_path)
    credentials = credential_for_each_kind(backends)
    await until_only_these_are_refused(edges, credentials, set())
    forget_the_user(backends)
    at = Timestamp()
    at.GetCurrentTime()

    backends.oauth.revocations.append(oauth_pb2.Revocation(kind=kind, id=f"ended-{kind}", revoked_at=at))
    await until_only_these_are_refused(edges, credentials, set())
    for clock in clocks:
        clock.advance(revocations.ASK_EVERY_S)

    await until_only_these_are_refused(edges, credentials, ENDS[kind])


async def test_the_set_in_redis_serves_when_auth_cannot_list(
    start_gateway: StartGateway, backends: Backends, redis_client: Redis
) -> None:
    """A push that was lost while auth is away is found in the set (rule 35)."""
    clock = FakeClock(datetime.now(UTC))
    edge = await start_gateway(clock=clock)
    credentials = credential_for_each_kind(backends)
    await until_only_these_are_refused([edge], credentials, set())
    backends.oauth.failing = Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "down")
    ended = {"token", "grant", "session", "client", "key"}

    for kind in ended:
        entry = revocation(kind)
        await redis_client.zadd(revocations.HISTORY, {json.dumps(entry): entry["at"]})
    clock.advance(revocations.ASK_EVERY_S)

    await until_only_these_are_refused([edge], credentials, ended)


async def test_a_gateway_that_starts_late_knows_what_ended(
    start_gateway: StartGateway, backends: Backends, redis_client: Redis
) -> None:
    """What ended before the start is refused, though auth's list no longer has it (rule 35)."""
    credentials = credential_for_each_kind(backends)
    ended = {"token", "grant", "session", "client", "key"}
    for kind in ended:
        entry = revocation(kind)
        await redis_client.zadd(revocations.HISTORY, {json.dumps(entry): entry["at"]})

    edge = await start_gateway(clock=FakeClock(datetime.now(UTC)))

    await until_only_these_are_refused([edge], credentials, ended)


def test_auth_asks_often_enough() -> None:
    """Five seconds at most for a lost push: the pause, and as long as one question may take (rule 35)."""
    from services.gateway.settings import GatewaySettings

    assert revocations.ASK_EVERY_S + GatewaySettings.model_fields["auth_timeout_s"].default < 5.0


@pytest.mark.parametrize("kind", ["key", "grant", "client"])
async def test_a_disabled_credential_is_asked_about_again_both_ways(
    edge: Edge, backends: Backends, redis_client: Redis, kind: str
) -> None:
    """Off within the push, and on again: unlike one that was revoked, it is not remembered as ended."""
    claims: dict[str, Any] = {"sub": "user-1", "gid": "switched-grant", "client_id": "switched-client"}
    credential = "rz_live_switched" if kind == "key" else access_token(**claims)
    known: dict[str, Any] = backends.auth.callers if kind == "key" else backends.oauth.grants
    name = credential if kind == "key" else claims["gid"]
    known[name] = caller(
        user_id="user-1",
        key_id="switched-key" if kind == "key" else "",
        grant_id="" if kind == "key" else claims["gid"],
        client_id="" if kind == "key" else claims["client_id"],
    )
    assert await status(edge, credential) == 200
    allowed = known.pop(name)

    await redis_client.publish(revocations.CHANNEL, json.dumps(switched(kind, 1)))
    await until_refused(edge, credential)
    known[name] = allowed
    await redis_client.publish(revocations.CHANNEL, json.dumps(switched(kind, 2)))

    async with asyncio.timeout(30):
        while await status(edge, credential) != 200:
            await asyncio.sleep(0.005)


def switched(kind: str, number: int) -> dict[str, Any]:
    """Return the entry of the channel that has a credential asked about again."""
    return {"kind": "changed", "id": f"{kind}:switched-{kind}", "at": int(time.time() * 1000) + number}
