"""How much one application may ask in a minute (oauth rule 51)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from razvilka.auth.v1 import oauth_pb2 as pb

from servicekit.testing import FakeClock
from services.auth.settings import AuthSettings
from services.auth.tests.oauth.conftest import StartOAuth
from services.auth.tests.oauth.flow import ORIGIN, App, Flow, to_params

PER_MINUTE = 5
AWAY = "temporarily_unavailable"
ELSEWHERE = pb.Origin(ip="198.51.100.9")


@pytest.fixture
async def strict(start_oauth: StartOAuth, oauth_settings: Callable[..., AuthSettings]) -> AsyncIterator[Flow]:
    """Return a server that counts to five."""
    async with start_oauth(oauth_settings(client_requests_per_minute=PER_MINUTE)) as flow:
        await flow.log_in()
        yield flow


def form(app: App, **more: str) -> Any:
    """Return a form of this client."""
    return to_params([*app.credentials.items(), *more.items()])


async def refresh(flow: Flow, app: App, origin: pb.Origin = ORIGIN) -> Any:
    """Ask for something that is refused cheaply; return the error."""
    request = pb.TokenRequest(params=form(app, grant_type="refresh_token", refresh_token="x"), origin=origin)
    return (await flow.call(request)).error


async def spend(flow: Flow, app: App, origin: pb.Origin = ORIGIN) -> list[str]:
    """Ask as often as one may."""
    return [(await refresh(flow, app, origin)).error for _ in range(PER_MINUTE)]


async def test_a_client_is_refused_at_every_endpoint_over_its_limit(strict: Flow) -> None:
    """429 with Retry-After, whatever address it comes from; another client is not touched."""
    app, other = await strict.app(confidential=True), await strict.app(confidential=True)
    assert await spend(strict, app) == ["invalid_grant"] * PER_MINUTE

    refusals = [
        await refresh(strict, app),
        await refresh(strict, app, ELSEWHERE),
        (await strict.call(pb.RevokeRequest(params=form(app, token="x"), origin=ORIGIN))).error,
        (await strict.call(pb.IntrospectRequest(params=form(app, token="x"), origin=ORIGIN))).error,
        (await strict.call(pb.PushAuthorizationRequest(params=form(app), origin=ORIGIN))).error,
        (await strict.call(pb.StartDeviceRequest(params=form(app), origin=ORIGIN))).error,
    ]

    assert {(each.error, each.http_status) for each in refusals} == {(AWAY, 429)}
    assert all(1 <= each.retry_after_s <= 60 for each in refusals)
    assert (await refresh(strict, other)).error == "invalid_grant"


async def test_at_the_border_of_two_minutes_there_is_one_minute_s_worth(strict: Flow, clock: FakeClock) -> None:
    """Twice as much passed there within a second."""
    app = await strict.app(confidential=True)
    clock.advance(59 - clock.now().timestamp() % 60)
    await spend(strict, app)

    clock.advance(2)
    refused = await refresh(strict, app)

    assert (refused.error, refused.retry_after_s) == (AWAY, 10)


async def test_who_comes_again_when_told_is_served(strict: Flow, clock: FakeClock) -> None:
    """The refusal says when that is."""
    app = await strict.app(confidential=True)
    await spend(strict, app)

    clock.advance(float((await refresh(strict, app)).retry_after_s))

    assert (await refresh(strict, app)).error == "invalid_grant"


async def test_who_guesses_at_a_secret_uses_up_nothing(strict: Flow) -> None:
    """A stranger cannot shut a confidential client out: only what it has proved to have asked counts."""
    app = await strict.app(confidential=True)
    thief = App(app.client_id, "rz_cs_" + "x" * 43)

    guesses = await spend(strict, thief) + await spend(strict, thief)

    assert set(guesses) == {"invalid_client"}
    assert (await refresh(strict, app)).error == "invalid_grant"


async def test_a_public_client_is_counted_by_address(strict: Flow) -> None:
    """Anybody can say its id: one address cannot shut out the others, nor can those without one."""
    app = await strict.app()
    await spend(strict, app)

    assert (await refresh(strict, app)).error == AWAY
    assert (await refresh(strict, app, ELSEWHERE)).error == "invalid_grant"
    assert set(await spend(strict, app, pb.Origin()) + await spend(strict, app, pb.Origin())) == {"invalid_grant"}


async def test_it_can_be_switched_off_and_needs_no_redis(
    start_oauth: StartOAuth, oauth_settings: Callable[..., AuthSettings], free_port: int
) -> None:
    """0 counts nothing; while Redis is lost tokens are given all the same."""
    async with start_oauth(oauth_settings(client_requests_per_minute=0)) as flow:
        await flow.log_in()
        app = await flow.app(confidential=True)
        free = await spend(flow, app) + await spend(flow, app)
    settings = oauth_settings(client_requests_per_minute=PER_MINUTE)
    lost = settings.redis.model_copy(update={"url": type(settings.redis.url)(f"redis://127.0.0.1:{free_port}/0")})
    async with start_oauth(settings.model_copy(update={"redis": lost})) as without:
        uncounted = await spend(without, app) + await spend(without, app)

    assert set(free + uncounted) == {"invalid_grant"}
