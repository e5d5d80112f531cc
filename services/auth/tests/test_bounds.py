"""An account has so many keys, applications, authorizations and sessions, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from razvilka.auth.v1 import auth_pb2 as pb
from razvilka.auth.v1 import oauth_pb2

from servicekit.errors import Conflict, ErrorReason
from servicekit.testing import FakeClock
from services.auth.settings import AuthSettings
from services.auth.tests.accounts.conftest import StartPeople, start_people
from services.auth.tests.conftest import StartAuth, settings_for
from services.auth.tests.oauth.conftest import StartOAuth, oauth_settings, sessions, start_oauth

__all__ = ["oauth_settings", "sessions", "start_oauth", "start_people"]
FEW = {"keys": 2, "clients": 2, "grants": 2, "sessions": 2}


async def test_one_key_too_many_is_refused(
    start_auth: StartAuth, auth_dsn: str, redis_url: str, clock: FakeClock
) -> None:
    """Also of several at once, and one beside its successor; what ended makes room."""
    async with start_auth(settings_for(auth_dsn, redis_url, most=FEW)) as auth:
        user = await auth.new_user()
        first = await auth.new_key(user)
        others = await asyncio.gather(*(auth.new_key(user) for _ in range(4)), return_exceptions=True)
        refused = [each for each in others if isinstance(each, Conflict)]
        with pytest.raises(Conflict):
            await auth.call(pb.RotateApiKeyRequest(user_id=user, key_id=first.key.id, overlap_s=60, by_operator=True))
        await auth.revoke(user, first.key.id)

        assert len(refused) == 3
        assert (refused[0].reason, refused[0].details) == (ErrorReason.CONFLICT, {"limit": "2"})
        assert (await auth.new_key(user)).secret


async def test_one_application_too_many_is_refused(
    start_oauth: StartOAuth, oauth_settings: Callable[..., AuthSettings]
) -> None:
    """Of one owner; others have room."""
    async with start_oauth(oauth_settings().model_copy(update={"most": type(oauth_settings().most)(**FEW)})) as flow:
        await flow.log_in()
        for _ in range(2):
            await flow.app(owner_user_id=flow.user_id)

        with pytest.raises(Conflict) as refused:
            await flow.app(owner_user_id=flow.user_id)

        await flow.log_in("other@example.ru")
        assert refused.value.reason is ErrorReason.CONFLICT
        assert (await flow.app(owner_user_id=flow.user_id)).client_id


async def test_one_authorization_too_many_is_refused(
    start_oauth: StartOAuth, oauth_settings: Callable[..., AuthSettings]
) -> None:
    """At the consent, in a browser or for a device; what ended makes room."""
    async with start_oauth(oauth_settings().model_copy(update={"most": type(oauth_settings().most)(**FEW)})) as flow:
        await flow.log_in()
        app = await flow.app()
        tokens = [await flow.tokens(app) for _ in range(2)]

        with pytest.raises(Conflict):
            await flow.code(app)
        await flow.revoke(app, tokens[0].refresh_token)

        assert await flow.code(app)
        granted = await flow.call(oauth_pb2.ListGrantsRequest(user_id=flow.user_id))
        assert len(granted.grants) == 1


async def test_one_session_too_many_ends_the_oldest(
    start_people: StartPeople, auth_dsn: str, redis_url: str, clock: FakeClock
) -> None:
    """Nobody is shut out of their account by those who are in it."""
    settings = settings_for(auth_dsn, redis_url, demo=True, most=FEW)
    async with start_people(settings) as people:
        await people.seed()
        opened = []
        for _ in range(3):
            opened.append((await people.log_in()).session_id)
            clock.advance(1)

        assert [await people.is_logged_in(each) for each in opened] == [False, True, True]
