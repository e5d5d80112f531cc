"""The device flow (oauth rule 47, RFC 8628): first what must not work."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import asyncpg
import pytest
from razvilka.auth.v1 import auth_pb2
from razvilka.auth.v1 import oauth_pb2 as pb

from servicekit.errors import NotFound, QuotaExceeded
from servicekit.testing import FakeClock
from services.auth.tests.oauth.conftest import ISSUER
from services.auth.tests.oauth.flow import ORIGIN, App, Flow, claims_of, to_params

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


async def start(flow: Flow, app: App, scope: str = "openid models:read") -> Any:
    """Begin a flow; return the device's codes or the error."""
    form = [*app.credentials.items(), ("scope", scope)]
    answer = await flow.call(pb.StartDeviceRequest(params=to_params(form), origin=ORIGIN))
    return json.loads(answer.device_json) if answer.device_json else answer.error


async def poll(flow: Flow, app: App, device: Any) -> Any:
    """Ask for the tokens."""
    return await flow.token(app, grant_type=DEVICE_GRANT, device_code=device["device_code"])


async def decide(flow: Flow, user_code: str, *, approved: bool = True, **fields: Any) -> None:
    """Enter the code."""
    given: dict[str, Any] = {"session_id": flow.session, "origin": ORIGIN} | fields
    await flow.call(pb.DecideDeviceRequest(user_code=user_code, approved=approved, **given))


async def test_the_start_can_be_refused(flow: Flow) -> None:
    """Unknown clients, clients without this grant type, scopes they may not have."""
    other = await flow.app(grant_types=["authorization_code"])
    app = await flow.app()

    assert (await start(flow, App("nobody"))).error == "invalid_client"
    assert (await start(flow, other)).error == "unauthorized_client"
    assert (await start(flow, app, scope="admin")).error == "invalid_scope"
    assert (await start(flow, app, scope="dance")).error == "invalid_scope"


async def test_codes_have_the_form_of_the_rfc(flow: Flow) -> None:
    """256 bits for the device, 8 consonants for people, and where to enter them."""
    device = await start(flow, await flow.app())

    assert len(device["device_code"]) == len("rz_dc_") + 43
    assert re.fullmatch("[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", device["user_code"])
    assert device["verification_uri"] == f"{ISSUER}/device"
    assert device["verification_uri_complete"] == f"{ISSUER}/device?user_code={device['user_code']}"
    assert (device["expires_in"], device["interval"]) == (600, 5)


async def test_a_device_waits_and_must_not_hurry(flow: Flow, clock: FakeClock) -> None:
    """authorization_pending; slow_down when it asks too soon, each time 5 s more."""
    app = await flow.app()
    device = await start(flow, app)

    answers = [(await poll(flow, app, device)).error]
    for wait_s in (5, 4, 9, 15):
        clock.advance(wait_s)
        answers.append((await poll(flow, app, device)).error)

    assert answers == [
        "authorization_pending",
        "authorization_pending",
        "slow_down",
        "slow_down",
        "authorization_pending",
    ]


async def test_wrong_device_codes_are_refused(flow: Flow, clock: FakeClock) -> None:
    """Another client's, expired, strange."""
    app, thief = await flow.app(), await flow.app()
    device = await start(flow, app)

    assert (await poll(flow, thief, device)).error == "invalid_grant"
    for strange in ("x", "a\x00", "я", "rz_dc_" + "x" * 43):
        assert (await poll(flow, app, {"device_code": strange})).error == "invalid_grant"
    clock.advance(600)
    assert (await poll(flow, app, device)).error == "expired_token"
    with pytest.raises(NotFound):
        await decide(flow, device["user_code"])


async def test_the_user_says_no(flow: Flow) -> None:
    """access_denied, once and for all."""
    app = await flow.app()
    device = await start(flow, app)
    await decide(flow, device["user_code"], approved=False)

    with pytest.raises(NotFound):
        await decide(flow, device["user_code"])

    assert (await poll(flow, app, device)).error == "access_denied"
    assert (await poll(flow, app, device)).error == "invalid_grant"


async def test_the_user_unticks_what_a_device_asks_for(flow: Flow, clock: FakeClock) -> None:
    """The grant has what is left, also after a refresh; what was not asked for is not given; no list means all."""
    app = await flow.app()
    tokens = []
    for ticked in (["models:read"], ["models:read", "usage:read"], []):
        device = await start(flow, app, scope="openid models:read completions:write")
        await decide(flow, device["user_code"], scopes=ticked)
        tokens.append(await poll(flow, app, device))
    again = await flow.refresh(app, tokens[0].refresh_token)

    assert [token.scope for token in tokens] == ["models:read", "models:read", "completions:write models:read openid"]
    assert again.scope == "models:read"


async def test_who_leaves_nothing_ticked_lets_nothing_in(flow: Flow) -> None:
    """Only scopes that were not asked for: access_denied."""
    app = await flow.app()
    device = await start(flow, app, scope="models:read")
    await decide(flow, device["user_code"], scopes=["usage:read"])

    assert (await poll(flow, app, device)).error == "access_denied"


async def test_nobody_lets_a_device_in_without_a_session(flow: Flow) -> None:
    """Only who is logged in decides."""
    app = await flow.app()
    device = await start(flow, app)

    for session in ("", "wrong"):
        with pytest.raises(NotFound):
            await decide(flow, device["user_code"], session_id=session)

    assert (await poll(flow, app, device)).error == "authorization_pending"


async def test_a_device_is_let_in(flow: Flow) -> None:
    """The page names the application; the code may be typed in any case; tokens carry the user's limits."""
    app = await flow.app()
    device = await start(flow, app)
    typed = f" {device['user_code'].lower().replace('-', ' ')} "
    found = await flow.call(pb.FindDeviceRequest(user_code=typed, session_id=flow.session, origin=ORIGIN))

    await decide(flow, typed, models=["gigachat"], budget_micro_rub=7, budget_period=auth_pb2.BUDGET_PERIOD_DAY)
    token = await poll(flow, app, device)

    assert found.pending.client.name == "Notes"
    assert list(found.pending.scopes) == ["models:read", "openid"]
    assert claims_of(token.access_token)["sub"] == flow.user_id
    assert "sid" not in claims_of(token.access_token)
    assert token.refresh_token
    grant = await flow.call(pb.GetGrantRequest(grant_id=claims_of(token.access_token)["gid"]))
    assert list(grant.caller.models) == ["gigachat"]
    assert grant.caller.budgets[0].limit_micro_rub == 7
    assert (await poll(flow, app, device)).error == "invalid_grant"


async def test_many_polls_make_one_grant(flow: Flow, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """The grant's id was settled at the start: it can come about once only."""
    app = await flow.app()
    device = await start(flow, app)
    await decide(flow, device["user_code"])

    answers = await asyncio.gather(*(poll(flow, app, device) for _ in range(20)))

    assert len([answer for answer in answers if hasattr(answer, "access_token")]) <= 1
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.oauth_grants") <= 1


async def test_guessing_codes_is_stopped(flow: Flow) -> None:
    """RFC 8628 5.1: after ten wrong ones this address and this account must wait, also with a right one."""
    app = await flow.app()
    device = await start(flow, app)

    for wrong in ["BCDFGHJK"] * 9 + ["a\x00"]:
        with pytest.raises(NotFound):
            await flow.call(pb.FindDeviceRequest(user_code=wrong, session_id=flow.session, origin=ORIGIN))
    with pytest.raises(QuotaExceeded) as refused:
        await flow.call(pb.FindDeviceRequest(user_code=device["user_code"], session_id=flow.session, origin=ORIGIN))
    elsewhere = pb.Origin(ip="198.51.100.9")
    with pytest.raises(QuotaExceeded):
        await decide(flow, device["user_code"], origin=elsewhere)

    burst = [
        flow.call(pb.FindDeviceRequest(user_code="BCDFGHJK", origin=pb.Origin(ip="203.0.113.5"))) for _ in range(30)
    ]
    answers = await asyncio.gather(*burst, return_exceptions=True)

    assert sum(isinstance(answer, NotFound) for answer in answers) == 10
    assert sum(isinstance(answer, QuotaExceeded) for answer in answers) == 20
    assert 0 < (refused.value.retry_after_s or 0) <= 900
    other = await flow.call(pb.FindDeviceRequest(user_code=device["user_code"], origin=elsewhere))
    assert other.pending.client.client_id == app.client_id
