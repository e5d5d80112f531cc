"""What anybody may have wait for a user: bounded for each address."""

from __future__ import annotations

import pytest
from razvilka.auth.v1 import oauth_pb2 as pb

from services.auth.oauth.cache.pending_requests import MOST_WAITING
from services.auth.tests.oauth.flow import CHALLENGE, App, Flow, to_params

MANY = MOST_WAITING + 3


async def goes_on(flow: Flow, pending_id: str) -> bool:
    """Tell whether a request still waits."""
    step = await flow.call(pb.AuthorizeRequest(pending_id=pending_id))
    return bool(step.WhichOneof("next") == "login")


async def begin(flow: Flow, app: App, ip: str) -> str:
    """Begin a request that nobody will end; return its name."""
    params = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uri,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    step = await flow.call(pb.AuthorizeRequest(params=to_params([*params.items()]), origin=pb.Origin(ip=ip)))
    return str(step.login.pending_id)


@pytest.mark.parametrize(("hosts", "left"), [(["192.0.2.9"], 3), (["2001:db8::1", "2001:db8::2"], 3), ([""], 0)])
async def test_of_one_address_the_oldest_requests_are_forgotten(flow: Flow, hosts: list[str], left: int) -> None:
    """A hostile one fills no Redis, a /64 of IPv6 is one; others keep theirs, as do all of unknown addresses."""
    app = await flow.app()
    other = await begin(flow, app, "192.0.2.10")

    begun = [await begin(flow, app, hosts[number % len(hosts)]) for number in range(MANY)]

    assert [await goes_on(flow, each) for each in begun[: left + 1]] == [False] * left + [True]
    assert await goes_on(flow, begun[-1])
    assert await goes_on(flow, other)
