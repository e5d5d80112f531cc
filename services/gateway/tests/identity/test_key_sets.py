"""The keys that verify access tokens: known before the gateway serves, and asked for no more often than needed."""

from __future__ import annotations

import asyncio
from typing import Any

from razvilka.auth.v1 import oauth_pb2, oauth_pb2_grpc

from servicekit.errors import ErrorReason, Unavailable
from servicekit.rpc_client import open_channel
from servicekit.rpc_server import running_server
from servicekit.settings import GrpcSettings
from servicekit.testing.fake_clock import FakeClock
from services.gateway.clients.oauth import OAuthClient
from services.gateway.clients.oauth_views import IssuerKeys
from services.gateway.identity.key_sets import RETRY_S, KeySet
from services.gateway.tests.backends import Backends, open_to_the_gateway
from services.gateway.tests.conftest import StartGateway
from services.gateway.tests.identity_backends import FakeOAuth, access_token
from tools.servers.ports import LOOPBACK, free_port

DOWN = Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "down")


async def ready() -> bool:
    """Be ready."""
    return True


async def test_a_gateway_is_not_ready_before_it_can_verify_a_token(
    start_gateway: StartGateway, backends: Backends
) -> None:
    """A balancer must not send requests with tokens to a gateway that can only answer 503."""
    backends.oauth.failing = DOWN
    starting = asyncio.ensure_future(start_gateway())
    async with asyncio.timeout(30):
        while backends.oauth.count("GetKeys") < 2 and not starting.done():
            await asyncio.sleep(0.01)
    assert not starting.done()

    backends.oauth.failing = None
    edge = await starting

    answer = await edge.client.get("/v1/models", headers={"authorization": f"Bearer {access_token()}"})
    assert answer.status_code == 200


async def test_a_service_that_is_still_starting_is_waited_for() -> None:
    """One connection that fails does not leave the gateway without keys until the next round."""
    port, oauth = free_port(), FakeOAuth()
    async with open_channel(f"{LOOPBACK}:{port}") as channel:
        client = OAuthClient(channel, deadline_s=60.0)
        asked = asyncio.create_task(client.get_keys())
        # Long enough for the first connection to have failed; too short only makes this test prove less.
        await asyncio.sleep(0.3)

        def register(server: Any) -> None:
            oauth_pb2_grpc.add_OAuthServiceServicer_to_server(oauth, server)

        settings = GrpcSettings(host=LOOPBACK, port=port, grace_s=0.1)
        async with running_server(settings, register, ready, open_to_the_gateway(oauth_pb2)):
            assert (await asked).audience


async def test_requests_that_wait_for_keys_share_a_refusal_too() -> None:
    """An auth that hangs is waited for by all together, not by one after the other."""
    asked, answer, clock = 0, asyncio.Event(), FakeClock()

    async def fetch() -> IssuerKeys:
        nonlocal asked
        asked += 1
        await answer.wait()
        raise DOWN

    keys = KeySet(fetch, clock, max_age_s=60.0)
    first = asyncio.create_task(keys.published())
    await asyncio.sleep(0)
    clock.advance(RETRY_S)
    others = [asyncio.create_task(keys.published()) for _ in range(20)]
    await asyncio.sleep(0)
    answer.set()
    outcomes = await asyncio.gather(first, *others, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 21
    assert asked == 2
