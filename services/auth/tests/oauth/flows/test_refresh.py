"""Refresh tokens (oauth rules 29 to 31)."""

from __future__ import annotations

from collections.abc import Callable

import asyncpg

from servicekit.testing import FakeClock
from services.auth.oauth.settings import LONGEST_GRACE
from services.auth.oauth.store.refresh_tokens import RefreshStore
from services.auth.settings import AuthSettings
from services.auth.tests.oauth.conftest import StartOAuth
from services.auth.tests.oauth.flow import Flow, claims_of

BAD_GRANT = "invalid_grant"
SALTS = "SELECT count(*) FROM auth.oauth_refresh_tokens WHERE successor_salt IS NOT NULL"


async def test_refreshing_rotates(flow: Flow, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Rule 29: each use gives another; the database has hashes only."""
    app = await flow.app()
    first = await flow.tokens(app)

    second = await flow.refresh(app, first.refresh_token)
    third = await flow.refresh(app, second.refresh_token)

    tokens = {first.refresh_token, second.refresh_token, third.refresh_token}
    rows = await auth_pool.fetch("SELECT * FROM auth.oauth_refresh_tokens")
    assert len(tokens) == len(rows) == 3
    assert all(token not in str(dict(row)) for token in tokens for row in rows)
    assert claims_of(third.access_token)["gid"] == claims_of(first.access_token)["gid"]
    assert claims_of(third.access_token)["jti"] != claims_of(first.access_token)["jti"]


async def test_within_the_grace_the_same_successor_comes_again(
    flow: Flow, clock: FakeClock, auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Rule 29: a racing request, or one whose answer was lost, forks nothing and ends nothing (fastmcp 4901)."""
    app = await flow.app()
    first = await flow.tokens(app, scope="models:read usage:read")
    second = await flow.refresh(app, first.refresh_token)

    clock.advance(9.0)
    again = await flow.refresh(app, first.refresh_token, scope="models:read")

    assert again.refresh_token == second.refresh_token
    assert again.scope == claims_of(again.access_token)["scope"] == "models:read"
    assert claims_of(again.access_token)["jti"] != claims_of(second.access_token)["jti"]
    rows = await auth_pool.fetch("SELECT * FROM auth.oauth_refresh_tokens")
    assert len(rows) == 2
    assert all(second.refresh_token not in str(dict(row)) for row in rows)
    assert (await flow.refresh(app, second.refresh_token)).scope == "models:read usage:read"


async def test_the_grace_ends_with_the_use_of_the_successor(flow: Flow) -> None:
    """Rule 29: whoever used it had the answer; a predecessor that comes now is stolen, however early."""
    app = await flow.app()
    first = await flow.tokens(app)
    second = await flow.refresh(app, first.refresh_token)
    third = await flow.refresh(app, second.refresh_token)

    reuse = await flow.refresh(app, first.refresh_token)

    assert reuse.error == BAD_GRANT
    assert (await flow.refresh(app, third.refresh_token)).error == BAD_GRANT


async def test_the_grace_is_no_way_around_client_scope_or_end(flow: Flow) -> None:
    """Another client gets nothing and harms nothing; more scope is invalid_scope; after a revocation nothing comes."""
    app, thief = await flow.app(), await flow.app()
    first = await flow.tokens(app)
    second = await flow.refresh(app, first.refresh_token)

    assert (await flow.refresh(thief, first.refresh_token)).error == BAD_GRANT
    assert (await flow.refresh(app, first.refresh_token, scope="usage:read")).error == "invalid_scope"
    assert (await flow.refresh(app, first.refresh_token)).refresh_token == second.refresh_token
    await flow.revoke(app, second.refresh_token)
    assert (await flow.refresh(app, first.refresh_token)).error == BAD_GRANT


async def test_without_a_grace_a_second_use_is_a_reuse_at_once(
    start_oauth: StartOAuth, oauth_settings: Callable[..., AuthSettings]
) -> None:
    """AUTH_OAUTH_REFRESH_GRACE_S=0: as strict as before."""
    async with start_oauth(oauth_settings(refresh_grace_s=0)) as strict:
        await strict.log_in()
        app = await strict.app()
        first = await strict.tokens(app)
        second = await strict.refresh(app, first.refresh_token)

        assert (await strict.refresh(app, first.refresh_token)).error == BAD_GRANT
        assert (await strict.refresh(app, second.refresh_token)).error == BAD_GRANT


async def test_what_tells_the_successor_is_forgotten(
    flow: Flow, clock: FakeClock, auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """The salts go once the longest grace is over; those of the last minute stay."""
    app = await flow.app()
    first = await flow.tokens(app)
    second = await flow.refresh(app, first.refresh_token)
    store = RefreshStore(auth_pool)

    await store.clear_salts(clock.now())
    kept = await auth_pool.fetchval(SALTS)
    await store.clear_salts(clock.now() + LONGEST_GRACE)

    assert (kept, await auth_pool.fetchval(SALTS)) == (1, 0)
    assert (await flow.refresh(app, second.refresh_token)).access_token


async def test_using_a_refresh_token_twice_ends_the_family(
    flow: Flow, clock: FakeClock, auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Rule 29: all refresh and all access tokens of the grant are dead, and the gateways are told once."""
    app, server = await flow.app(), await flow.app(confidential=True)
    first = await flow.tokens(app)
    second = await flow.refresh(app, first.refresh_token)
    clock.advance(10.0)

    reuse = await flow.refresh(app, first.refresh_token)

    assert reuse.error == BAD_GRANT
    assert (await flow.refresh(app, second.refresh_token)).error == BAD_GRANT
    for token in (first, second):
        assert await flow.introspect(server, token.access_token) == {"active": False}
    revocations = await auth_pool.fetch("SELECT kind, subject_id FROM auth.revocations")
    assert [tuple(row) for row in revocations] == [("grant", claims_of(first.access_token)["gid"])]


async def test_anothers_refresh_token_is_worth_nothing(flow: Flow) -> None:
    """Rule 29: bound to its client; the attempt harms nobody. Strange ones are refused in the same way."""
    app, thief = await flow.app(), await flow.app()
    token = await flow.tokens(app)

    stolen = await flow.refresh(thief, token.refresh_token)
    strange = [
        (await flow.refresh(app, text)).error for text in (token.access_token, "x", "a\x00", "я", "rz_rt_" + "x" * 43)
    ]

    assert stolen.error == BAD_GRANT
    assert strange == [BAD_GRANT] * 5
    assert (await flow.refresh(app, "")).error == "invalid_request"
    assert (await flow.refresh(app, token.refresh_token)).access_token


async def test_a_refresh_narrows_for_once(flow: Flow) -> None:
    """Rule 30: less is possible, more is invalid_scope, and the next refresh token has the original scope."""
    app = await flow.app()
    first = await flow.tokens(app, scope="models:read usage:read")

    more = await flow.refresh(app, first.refresh_token, scope="models:read openid")
    unknown = await flow.refresh(app, first.refresh_token, scope="dance")
    less = await flow.refresh(app, first.refresh_token, scope="models:read")
    again = await flow.refresh(app, less.refresh_token)

    assert more.error == unknown.error == "invalid_scope"
    assert less.scope == claims_of(less.access_token)["scope"] == "models:read"
    assert again.scope == "models:read usage:read"


async def test_an_unused_refresh_token_dies_after_30_days(flow: Flow, clock: FakeClock) -> None:
    """Rule 31: idle life."""
    app = await flow.app()
    used, unused = await flow.tokens(app), await flow.tokens(app)

    clock.advance(30 * 86_400 - 1)
    in_time = await flow.refresh(app, used.refresh_token)
    clock.advance(1)
    too_late = await flow.refresh(app, unused.refresh_token)

    assert in_time.access_token
    assert too_late.error == BAD_GRANT


async def test_a_grant_dies_after_90_days_however_busy(flow: Flow, clock: FakeClock) -> None:
    """Rule 31: absolute life."""
    app = await flow.app()
    token = await flow.tokens(app)

    for _ in range(4):
        clock.advance(20 * 86_400)
        token = await flow.refresh(app, token.refresh_token)
    clock.advance(10 * 86_400)
    too_late = await flow.refresh(app, token.refresh_token)

    assert token.access_token
    assert too_late.error == BAD_GRANT
