"""Signing keys (oauth rule 40): published before they sign, kept until their last token is over, encrypted at rest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from razvilka.auth.v1 import oauth_pb2 as pb

from servicekit.testing import FakeClock
from servicekit.trust import jwt
from services.auth.oauth.domain.signing_key import RotationRules
from services.auth.oauth.store.signing_keys import SigningKeyStore
from services.auth.oauth.tokens.key_sealing import KeySealer
from services.auth.oauth.tokens.signing_keys import KeyRing
from services.auth.settings import AuthSettings
from services.auth.tests.conftest import PEPPER
from services.auth.tests.oauth.conftest import ISSUER, StartOAuth
from services.auth.tests.oauth.flow import Flow, header_of
from services.auth.tests.units import units_over

DAY = timedelta(days=1)
RULES = RotationRules(rotate=30 * DAY, publish=timedelta(minutes=10), keep=timedelta(minutes=16))
ANY = jwt.Expected(frozenset({"at+jwt"}), None, None)


def ring(pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock, *secrets: str) -> KeyRing:
    """Return a replica's key ring."""
    return KeyRing(SigningKeyStore(pool), units_over(pool, clock), KeySealer(secrets or (PEPPER,)), RULES, clock=clock)


async def kids(ring: KeyRing) -> list[str]:
    """Return what is published."""
    return [member["kid"] for member in await ring.published()]


async def test_a_key_is_published_before_it_signs_and_kept_after(
    auth_pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock
) -> None:
    """Rule 40, the whole life: publish, wait as long as anybody caches, sign, keep until the last token is over."""
    one, two = ring(auth_pool, clock), ring(auth_pool, clock)
    await auth_pool.execute("UPDATE auth.oauth_signing_keys SET created_at = $1, signs_from = $1", clock.now())
    old = (await one.signer()).kid
    clock.advance((30 * DAY - RULES.publish).total_seconds() - 1)
    await one.rotate()
    assert await kids(one) == [old]

    clock.advance(1)
    await one.rotate()
    await two.rotate()
    published = await kids(two)
    assert len(published) == 2
    assert published == await kids(one)
    assert (await one.signer()).kid == (await two.signer()).kid == old

    clock.advance(RULES.publish.total_seconds() - 1)
    last = jwt.sign({"exp": clock.now().timestamp() + 900}, await one.signer(), typ="at+jwt")
    clock.advance(1)
    new = (await one.signer()).kid
    assert new == (await two.signer()).kid != old
    assert await two.verify(last, ANY)

    clock.advance(RULES.keep.total_seconds() - 1)
    await one.rotate()
    assert await kids(one) == [old, new]
    clock.advance(1)
    await one.rotate()
    assert await kids(one) == [new]


async def test_replicas_that_begin_together_make_one_key(
    auth_pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock
) -> None:
    """The very first key signs at once, and each replica verifies the other's tokens."""
    await auth_pool.execute("DELETE FROM auth.oauth_signing_keys")
    one, two = ring(auth_pool, clock), ring(auth_pool, clock)
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.oauth_signing_keys") == 0

    signers = [await one.signer(), await two.signer()]

    token = jwt.sign({"exp": clock.now().timestamp() + 9}, signers[0], typ="at+jwt")
    assert signers[0].kid == signers[1].kid
    assert await two.verify(token, ANY)


async def test_a_clock_that_goes_back_leaves_a_key_that_signs(
    auth_pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock
) -> None:
    """The only key was made while the clock was two hours ahead; it signs and verifies also when that is put right."""
    await auth_pool.execute("DELETE FROM auth.oauth_signing_keys")
    made = (await ring(auth_pool, clock).signer()).kid
    right = FakeClock(clock.now() - timedelta(hours=2))
    one = ring(auth_pool, right)

    signer = await one.signer()

    assert signer.kid == made
    assert await one.verify(jwt.sign({"exp": right.now().timestamp() + 9}, signer, typ="at+jwt"), ANY)
    assert await kids(one) == [made]


async def test_after_a_long_stop_the_next_key_is_still_published_first(
    auth_pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock
) -> None:
    """Rule 40: a key that is long overdue does not sign before caches have seen it."""
    one = ring(auth_pool, clock)
    old = (await one.signer()).kid
    clock.advance(100 * DAY.total_seconds())

    await one.rotate()

    assert (await one.signer()).kid == old
    clock.advance(RULES.publish.total_seconds())
    assert (await one.signer()).kid != old


async def test_a_wrong_secret_does_not_stop_the_service(
    auth_pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock
) -> None:
    """A key that cannot be opened verifies on; a new one signs. The earlier secret opens it, as long as it is given."""
    rotated = ring(auth_pool, clock, "another secret", PEPPER)
    lost = ring(auth_pool, clock, "another secret")
    before = (await rotated.signer()).kid

    after = (await lost.signer()).kid

    assert before == "planted"
    assert after != "planted"
    assert await kids(lost) == ["planted", after]


async def test_private_keys_are_encrypted_at_rest(auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Rule 40: AES-GCM, bound to the kid: another row's kid, another secret or one changed bit open nothing."""
    row = await auth_pool.fetchrow("SELECT * FROM auth.oauth_signing_keys")
    assert row is not None
    sealed: bytes = row["sealed"]

    opened = KeySealer([PEPPER]).open("planted", sealed)

    assert opened is not None
    assert opened not in sealed
    assert KeySealer(["x" * 32]).open("planted", sealed) is None
    assert KeySealer([PEPPER]).open("other", sealed) is None
    assert KeySealer([PEPPER]).open("planted", sealed[:-1] + bytes([sealed[-1] ^ 1])) is None
    assert "PRIVATE" not in row["public_jwk"]
    assert set(json.loads(row["public_jwk"])) == {"kty", "n", "e", "kid", "alg", "use"}


async def test_keys_and_metadata_are_published(flow: Flow) -> None:
    """Rules 40 and 42: public members only; issuer from the settings; no null and no empty member."""
    answer = await flow.call(pb.GetKeysRequest())

    keys, metadata = json.loads(answer.jwks_json)["keys"], json.loads(answer.metadata_json)
    assert [set(key) for key in keys] == [{"kty", "n", "e", "kid", "alg", "use"}]
    assert (answer.issuer, answer.audience, list(answer.algorithms)) == (ISSUER, ISSUER, ["RS256"])
    assert metadata["issuer"] == ISSUER
    assert all(value not in (None, "", [], {}) for value in metadata.values())
    endpoints = {name: value for name, value in metadata.items() if name.endswith(("_endpoint", "_uri"))}
    assert endpoints == {
        "authorization_endpoint": f"{ISSUER}/authorize",
        "token_endpoint": f"{ISSUER}/token",
        "pushed_authorization_request_endpoint": f"{ISSUER}/par",
        "revocation_endpoint": f"{ISSUER}/revoke",
        "introspection_endpoint": f"{ISSUER}/introspect",
        "userinfo_endpoint": f"{ISSUER}/userinfo",
        "registration_endpoint": f"{ISSUER}/register",
        "device_authorization_endpoint": f"{ISSUER}/device_authorization",
        "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
    }
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["response_types_supported"] == ["code"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert not {"password", "implicit"} & set(metadata["grant_types_supported"])
    assert "none" not in metadata["id_token_signing_alg_values_supported"]


async def test_the_job_rotates_by_itself(
    start_oauth: StartOAuth, oauth_settings: Callable[..., AuthSettings], clock: FakeClock, auth_pool: Any
) -> None:
    """Rule 40: nobody has to do anything; tokens are signed by the new key in its time."""
    await auth_pool.execute("UPDATE auth.oauth_signing_keys SET created_at = $1, signs_from = $1", clock.now())
    async with start_oauth(oauth_settings()) as flow:
        await flow.log_in()
        app = await flow.app()
        first = await flow.tokens(app)

        clock.advance((30 * DAY - timedelta(minutes=10)).total_seconds() - 60)
        token = await flow.refresh(app, first.refresh_token)
        # The job works beside the test: however long it takes, it comes to its turn while the minutes pass.
        async with asyncio.timeout(60):
            while header_of(token.access_token)["kid"] == "planted":
                clock.advance(60)
                token = await flow.refresh(app, token.refresh_token)

    assert header_of(first.access_token)["kid"] == "planted"


async def test_short_secrets_are_refused(oauth_settings: Callable[..., AuthSettings]) -> None:
    """The start fails with the setting's name."""
    with pytest.raises(ValueError, match="signing_key_secret"):
        oauth_settings(signing_key_secret="short")


async def test_the_next_key_can_be_asked_for(auth_pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock) -> None:
    """It is published as long as any other before it signs; asked twice there is one; the schedule goes on from it."""
    one = ring(auth_pool, clock)
    await auth_pool.execute("UPDATE auth.oauth_signing_keys SET created_at = $1, signs_from = $1", clock.now())
    old = (await one.signer()).kid

    made, again = await one.make_next(), await one.make_next()

    assert made.kid == again.kid
    assert await kids(one) == [old, made.kid]
    clock.advance(RULES.publish.total_seconds() - 1)
    assert (await one.signer()).kid == old
    clock.advance(2)
    assert (await one.signer()).kid == made.kid
    await one.rotate()
    assert await kids(one) == [old, made.kid]
    actors = await auth_pool.fetch("SELECT actor FROM auth.audit_log WHERE subject = $1", f"signing_key:{made.kid}")
    assert [row["actor"] for row in actors] == ["operator"]
