"""What an application may no longer do in its own name, the tokens that it has cannot do either."""

from __future__ import annotations

from typing import Any

import asyncpg
from razvilka.auth.v1 import oauth_pb2 as pb

from services.auth.tests.oauth.flow import App, Flow, claims_of
from services.auth.tests.oauth.test_client_changes import change, own_app

BOTH = "models:read completions:write"
MACHINE = ["client_credentials", "authorization_code", "refresh_token"]


async def own_token(flow: Flow, app: App) -> Any:
    """Return a token of an application in its own name."""
    return await flow.token(app, grant_type="client_credentials", scope=BOTH)


async def scopes_of_grant(flow: Flow, access_token: str) -> list[str]:
    """Return what gateways are told that the grant of a token allows now."""
    grant = await flow.call(pb.GetGrantRequest(grant_id=claims_of(access_token)["gid"]))
    return sorted(grant.caller.scopes)


async def changed(flow: Flow) -> list[str]:
    """Return what gateways are to ask about again."""
    told = await flow.call(pb.ListRevocationsRequest())
    return [each.id for each in told.revocations if each.kind == "changed"]


async def test_a_scope_taken_from_an_application_is_taken_from_its_own_tokens(flow: Flow) -> None:
    """At gateways, which ask again for what they remember, and at introspection; a new name takes nothing."""
    app, server = await own_app(flow, confidential=True, grant_types=MACHINE), await flow.app(confidential=True)
    token = (await own_token(flow, app)).access_token

    await change(flow, app, name="Заметки")
    unchanged = await changed(flow)
    await change(flow, app, scopes=["models:read"])

    assert (unchanged, await changed(flow)) == ([], [f"grant:{claims_of(token)['gid']}"])
    assert await scopes_of_grant(flow, token) == ["models:read"]
    assert (await flow.introspect(server, token))["scope"] == "models:read"
    assert (await own_token(flow, app)).error == "invalid_scope"


async def test_those_who_let_an_application_in_keep_what_they_agreed_to(flow: Flow) -> None:
    """It asks nobody for more from now on; what it was given stays until they end it."""
    app = await own_app(flow, confidential=True, grant_types=MACHINE)
    token = await flow.tokens(app, scope=BOTH)

    await change(flow, app, scopes=["models:read"])

    assert await scopes_of_grant(flow, token.access_token) == sorted(BOTH.split())
    assert (await flow.refresh(app, token.refresh_token)).scope.split() == sorted(BOTH.split())


async def test_introspection_tells_no_scope_that_its_giver_may_not_give_any_more(
    flow: Flow, auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """An administrator's, after they ceased to be one: of the access token and of the refresh token."""
    await flow.log_in("boris@example.ru", is_admin=True)
    await auth_pool.execute("UPDATE auth.users SET is_admin = true")
    app = await flow.app(confidential=True, scopes=["models:read", "admin"])
    token = await flow.tokens(app, scope="models:read admin")
    presented = (token.access_token, token.refresh_token)

    before = [(await flow.introspect(app, each))["scope"] for each in presented]
    await auth_pool.execute("UPDATE auth.users SET is_admin = false")
    after = [(await flow.introspect(app, each))["scope"] for each in presented]

    assert (before, after) == (["admin models:read"] * 2, ["models:read"] * 2)
