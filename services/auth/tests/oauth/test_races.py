"""Many at once, on two replicas with a pool each (oauth rules 26 and 29): at most one wins, and all agree after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
from razvilka.auth.v1 import oauth_pb2 as pb

from servicekit.errors import NotFound, ServiceError
from services.auth.settings import AuthSettings
from services.auth.tests.oauth.conftest import StartOAuth
from services.auth.tests.oauth.flow import App, Flow, claims_of

MANY = 50


@pytest.fixture
async def replicas(
    start_oauth: StartOAuth, oauth_settings: Callable[..., AuthSettings]
) -> AsyncIterator[tuple[Flow, Flow]]:
    """Return two servers on one database and one Redis, with one user logged in."""
    async with start_oauth(oauth_settings()) as one, start_oauth(oauth_settings()) as two:
        await one.log_in()
        two.user_id, two.session = one.user_id, one.session
        yield one, two


def winners(answers: list[Any]) -> list[Any]:
    """Return the answers that are tokens; the others must be invalid_grant."""
    tokens = [answer for answer in answers if hasattr(answer, "access_token")]
    assert {answer.error for answer in answers if answer not in tokens} <= {"invalid_grant"}
    return tokens


async def live_grants(pool: asyncpg.Pool[asyncpg.Record]) -> int:
    """Return how many grants are not ended."""
    return int(await pool.fetchval("SELECT count(*) FROM auth.oauth_grants WHERE revoked_at IS NULL"))


async def test_fifty_redemptions_of_one_code(
    replicas: tuple[Flow, Flow], auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Rule 26: at most one success and one grant; and since 49 were replays, rule 27 has ended it everywhere."""
    one, two = replicas
    app = await one.app()
    code = await one.code(app)

    answers = await asyncio.gather(*(replicas[n % 2].redeem(app, code) for n in range(MANY)))

    assert len(winners(answers)) == 1
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.oauth_grants") == 1
    assert await live_grants(auth_pool) == 0
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.revocations WHERE kind = 'grant'") == 1
    await assert_dead(winners(answers)[0], app, one, two)


async def test_fifty_uses_of_one_refresh_token(
    replicas: tuple[Flow, Flow], auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Rule 29: within the grace all get the one successor, never a fork of the family, which lives on."""
    one, two = replicas
    app = await one.app()
    first = await one.tokens(app)

    answers = await asyncio.gather(*(replicas[n % 2].refresh(app, first.refresh_token) for n in range(MANY)))

    assert len({answer.refresh_token for answer in winners(answers)}) == 1
    assert len(winners(answers)) == MANY
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.oauth_refresh_tokens") == 2
    assert await live_grants(auth_pool) == 1
    assert (await two.refresh(app, answers[0].refresh_token)).access_token


async def test_fifty_reuses_of_one_refresh_token(
    replicas: tuple[Flow, Flow], auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Rule 29: with its successor used as well, the first token ends the family, once."""
    one, two = replicas
    app = await one.app()
    first = await one.tokens(app)
    last = await one.refresh(app, (await one.refresh(app, first.refresh_token)).refresh_token)

    answers = await asyncio.gather(*(replicas[n % 2].refresh(app, first.refresh_token) for n in range(MANY)))

    assert winners(answers) == []
    assert await live_grants(auth_pool) == 0
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.revocations WHERE kind = 'grant'") == 1
    await assert_dead(last, app, one, two)


async def assert_dead(token: Any, app: App, *replicas: Flow) -> None:
    """Check that every replica says that the token's grant is over."""
    for replica in replicas:
        server = await replica.app(confidential=True)
        assert await replica.introspect(server, token.access_token) == {"active": False}
        assert (await replica.refresh(app, token.refresh_token)).error == "invalid_grant"
        with pytest.raises(ServiceError):
            await replica.call(pb.GetGrantRequest(grant_id=claims_of(token.access_token)["gid"]))


async def test_many_decisions_about_one_request(
    replicas: tuple[Flow, Flow], auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """A form that is posted many times gives one code."""
    one, two = replicas
    app = await one.app()
    pending_id = (await one.authorize(app)).consent.pending_id

    answers = await asyncio.gather(
        *(replica.decide(pending_id) for replica in (one, two) for _ in range(10)), return_exceptions=True
    )

    refused = [answer for answer in answers if isinstance(answer, NotFound)]
    assert len(refused) == len(answers) - 1
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.oauth_codes") == 1


async def test_a_client_deleted_in_the_middle(replicas: tuple[Flow, Flow]) -> None:
    """Refreshes and deletions of the same client lock rows in different orders; nobody gets an internal error."""
    one, two = replicas
    for _ in range(5):
        app = await one.app(owner_user_id=one.user_id)
        tokens = [await one.tokens(app) for _ in range(4)]
        deletion = two.call(pb.DeleteClientRequest(owner_user_id=one.user_id, client_id=app.client_id))
        answers = await asyncio.gather(
            *(replicas[n % 2].refresh(app, token.refresh_token) for n, token in enumerate(tokens)), deletion
        )

        errors = {answer.error for answer in answers[:-1] if hasattr(answer, "error")}
        assert errors <= {"invalid_client", "invalid_grant"}


async def test_both_replicas_make_one_standing_grant(
    replicas: tuple[Flow, Flow], auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """A client in its own name has one grant, however many ask at once."""
    app = await replicas[0].app(
        confidential=True, owner_user_id=replicas[0].user_id, grant_types=["client_credentials"], redirect_uris=[]
    )

    answers = await asyncio.gather(*(replicas[n % 2].token(app, grant_type="client_credentials") for n in range(20)))

    assert len({claims_of(answer.access_token)["gid"] for answer in answers}) == 1
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.oauth_grants") == 1
