"""A disabled application or grant gives nothing and loses nothing: enabled, the same tokens go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import asyncpg
import pytest
from razvilka.auth.v1 import oauth_pb2 as pb

from servicekit.errors import ErrorReason, NotFound, ServiceError
from services.auth.oauth.store.grants import GrantStore
from services.auth.shared.store.disabled import disable, disable_applications_of, enable
from services.auth.tests.oauth.flow import Flow, claims_of
from services.auth.tests.planted_user import plant_user

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


async def off(pool: Pool, subject: str) -> None:
    """Disable what an administrator names."""
    async with pool.acquire() as connection, connection.transaction():
        await disable(connection, subject, NOON)


async def on(pool: Pool, subject: str) -> None:
    """Enable it."""
    async with pool.acquire() as connection, connection.transaction():
        await enable(connection, subject)


async def counts(flow: Flow, access_token: str) -> bool:
    """Tell whether gateways are told that the token's grant allows anything."""
    try:
        await flow.call(pb.GetGrantRequest(grant_id=claims_of(access_token)["gid"], user_id=flow.user_id))
    except ServiceError as exc:
        if exc.reason is not ErrorReason.INVALID_TOKEN:
            raise
        return False
    return True


async def test_a_disabled_application_gets_nothing_until_it_is_enabled(flow: Flow, auth_pool: Pool) -> None:
    """No refresh, no authorization, no live token; afterwards its refresh token is as good as before."""
    app = await flow.app()
    token = await flow.tokens(app)
    subject = f"client:{app.client_id}"

    await off(auth_pool, subject)
    refused = await flow.refresh(app, token.refresh_token)
    page = await flow.authorize(app)
    alive = await counts(flow, token.access_token)
    await on(auth_pool, subject)
    refreshed = await flow.refresh(app, token.refresh_token)

    assert (refused.error, page.error_page.error != "", alive) == ("invalid_client", True, False)
    assert refreshed.access_token
    assert await counts(flow, token.access_token)


async def test_a_disabled_grant_is_not_got_round_by_consenting_again(flow: Flow, auth_pool: Pool) -> None:
    """A refresh is invalid_grant and no reuse; the same user cannot let the application in meanwhile."""
    app = await flow.app()
    token = await flow.tokens(app)
    subject = f"grant:{claims_of(token.access_token)['gid']}"

    await off(auth_pool, subject)
    refused = await flow.refresh(app, token.refresh_token)
    with pytest.raises(NotFound):
        await flow.code(app)
    alive = await counts(flow, token.access_token)
    await on(auth_pool, subject)

    assert (refused.error, alive) == ("invalid_grant", False)
    assert (await flow.refresh(app, token.refresh_token)).access_token


@pytest.mark.parametrize("who", ["user", "application", "housekeeping"])
async def test_a_disabled_grant_is_not_got_round_by_ending_it(flow: Flow, auth_pool: Pool, who: str) -> None:
    """Its user or the application ended it, and the next consent was as good as new."""
    app = await flow.app()
    token = await flow.tokens(app)
    grant_id = claims_of(token.access_token)["gid"]

    await off(auth_pool, f"grant:{grant_id}")
    if who == "application":
        await flow.revoke(app, token.refresh_token)
    else:
        await flow.call(pb.RevokeGrantRequest(user_id=flow.user_id, grant_id=grant_id))
    if who == "housekeeping":
        await GrantStore(auth_pool).forget(NOON + timedelta(days=3650))
    with pytest.raises(NotFound):
        await flow.code(app)
    await on(auth_pool, f"grant:{grant_id}")

    assert (await flow.tokens(app)).access_token


async def test_a_standing_grant_that_was_ended_stays_disabled(flow: Flow, auth_pool: Pool) -> None:
    """There is one at a time; the next one was as good as new."""
    app = await flow.app(
        confidential=True, owner_user_id=flow.user_id, grant_types=["client_credentials"], scopes=["models:read"]
    )
    token = await flow.token(app, grant_type="client_credentials")
    grant_id = claims_of(token.access_token)["gid"]

    await off(auth_pool, f"grant:{grant_id}")
    await flow.call(pb.RevokeGrantRequest(user_id=flow.user_id, grant_id=grant_id))

    assert (await flow.token(app, grant_type="client_credentials")).error == "invalid_grant"


async def test_a_code_given_before_is_not_redeemed_after(flow: Flow, auth_pool: Pool) -> None:
    """The grant that stands between the two counts at the moment of redemption."""
    app = await flow.app()
    token = await flow.tokens(app)
    code = await flow.code(app)

    await off(auth_pool, f"grant:{claims_of(token.access_token)['gid']}")

    assert (await flow.redeem(app, code)).error == "invalid_grant"


async def test_an_application_in_its_own_name_is_off_with_its_grant(flow: Flow, auth_pool: Pool) -> None:
    """It has one standing grant: disabled, it gets no token from it and no other."""
    app = await flow.app(
        confidential=True, owner_user_id=flow.user_id, grant_types=["client_credentials"], scopes=["models:read"]
    )
    token = await flow.token(app, grant_type="client_credentials")

    await off(auth_pool, f"grant:{claims_of(token.access_token)['gid']}")

    assert (await flow.token(app, grant_type="client_credentials")).error == "invalid_grant"


async def test_owners_see_what_is_disabled(flow: Flow, auth_pool: Pool) -> None:
    """In the lists of their applications and of what they let in."""
    app = await flow.app(owner_user_id=flow.user_id)
    await flow.tokens(app)

    await off(auth_pool, f"client:{app.client_id}")

    clients = (await flow.call(pb.ListClientsRequest(owner_user_id=flow.user_id))).clients
    grants = (await flow.call(pb.ListGrantsRequest(user_id=flow.user_id))).grants
    assert ([client.disabled for client in clients], [grant.disabled for grant in grants]) == ([True], [True])


async def test_the_applications_of_a_shut_account_act_for_nobody(flow: Flow, auth_pool: Pool, auth_dsn: str) -> None:
    """Whoever was shut out went on in the name of all who had let their application in."""
    owner = await plant_user(auth_dsn, "owner@example.ru")
    app, other = await flow.app(owner_user_id=owner), await flow.app(owner_user_id=flow.user_id)
    token, others = await flow.tokens(app), await flow.tokens(other)

    async with auth_pool.acquire() as connection, connection.transaction():
        changed = await disable_applications_of(connection, owner, NOON)
    refused = await flow.refresh(app, token.refresh_token)
    alive = await counts(flow, token.access_token), await counts(flow, others.access_token)
    await on(auth_pool, f"user:{owner}")

    assert (changed, refused.error, alive) == ([f"client:{app.client_id}"], "invalid_client", (False, True))
    assert (await flow.refresh(app, token.refresh_token)).access_token
