"""A session remembers by which proofs it began: OAuth tells applications (`amr`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from services.auth.accounts.cache.sessions import SessionCache, digest_of
from services.auth.accounts.domain.login_session import SessionTerms
from services.auth.tests.accounts.conftest import People
from services.auth.tests.accounts.external.external_kit import Browser


@pytest.fixture
async def cache(redis_url: str) -> AsyncIterator[SessionCache]:
    """Return the sessions there are."""
    async with Redis.from_url(redis_url) as client:
        yield SessionCache(client, SessionTerms(timedelta(days=1), timedelta(days=30)))


async def methods_of(cache: SessionCache, secret: str) -> tuple[str, ...]:
    """Return how a session began."""
    session = await cache.find(digest_of(secret))
    assert session is not None
    return session.methods


async def test_password_and_second_factor_are_remembered(people: People, cache: SessionCache) -> None:
    """One proof, then two; a recovery code is a second factor as well."""
    user_id = await people.seed()
    one = await people.log_in()
    totp, codes = await people.enable_totp(user_id)
    two = await people.log_in(code=totp.at(people.clock.now()))
    recovered = await people.log_in(code=codes[0])

    assert await methods_of(cache, one.session_id) == ("pwd",)
    assert [await methods_of(cache, login.session_id) for login in (two, recovered)] == [("pwd", "otp")] * 2


async def test_another_providers_word_is_remembered_as_that(external_people: People, cache: SessionCache) -> None:
    """It is one proof, whatever that provider asked."""
    login = await (await Browser(external_people).go()).finish()

    assert await methods_of(cache, login.session_id) == ("fed",)


async def test_a_session_of_the_version_before_has_none(people: People, cache: SessionCache, redis_url: str) -> None:
    """It goes on; applications are told no acr."""
    await people.seed()
    login = await people.log_in()
    async with Redis.from_url(redis_url) as client:
        await client.hdel(f"auth:session:{digest_of(login.session_id)}", "methods")

    assert await methods_of(cache, login.session_id) == ()
    assert await people.is_logged_in(login.session_id)
