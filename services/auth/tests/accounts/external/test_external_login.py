"""Logging in by another OpenID provider, over real HTTP."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import TypeAlias

import asyncpg
import pytest
from pydantic import ValidationError
from razvilka.auth.v1 import account_pb2 as pb
from razvilka.auth.v1 import oauth_pb2

from servicekit.errors import ErrorReason, ServiceError
from services.auth.accounts.settings import ExternalProvider
from services.auth.tests.accounts.conftest import EMAIL, PASSWORD, People, audit_actions
from services.auth.tests.accounts.external.external_kit import CALLBACK, VERIFIED, Browser, count_users
from services.auth.tests.accounts.oidc_server import OidcServer

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("state", "made-up", id="made-up state"),
        pytest.param("state", None, id="no state"),
        pytest.param("iss", "https://evil.example", id="mix-up"),
        pytest.param("code", None, id="no code"),
        pytest.param("error", "access_denied", id="the person said no"),
    ],
)
async def test_a_return_that_was_not_asked_for_is_refused(
    external_people: People, provider: OidcServer, name: str, value: str | None
) -> None:
    """The code is not even redeemed."""
    browser = (await Browser(external_people).go()).with_param(name, value)

    refusal = await browser.refused()

    assert refusal.reason is ErrorReason.INVALID_TOKEN
    assert provider.redeemed == 0


async def test_another_browser_cannot_finish_it(external_people: People, provider: OidcServer) -> None:
    """Login CSRF: the cookie binds; a wrong one uses the state up."""
    browser = await Browser(external_people).go()
    stranger = await Browser(external_people).go()

    refusals = [
        await browser.refused(state_cookie=stranger.cookie),
        await browser.refused(),
        await stranger.refused(provider_id="yandex"),
        await stranger.refused(),
        await (await Browser(external_people).go()).refused(redirect_uri=CALLBACK + "/other"),
        await (await Browser(external_people).go()).refused(params=[oauth_pb2.Param(name="state", value="x")] * 2),
    ]

    assert {refusal.reason for refusal in refusals} == {ErrorReason.INVALID_TOKEN}
    assert provider.redeemed == 0


async def test_a_return_counts_once(external_people: People, provider: OidcServer) -> None:
    """Also when it comes twice at the same moment."""
    browser = await Browser(external_people).go()

    results = await asyncio.gather(*(browser.finish() for _ in range(5)), return_exceptions=True)

    assert sum(isinstance(result, pb.FinishExternalLoginResponse) for result in results) == 1
    assert provider.redeemed == 1


async def test_a_new_person_gets_an_account_and_is_known_by_subject_later(
    external_people: People, provider: OidcServer, auth_pool: Pool
) -> None:
    """The second time the address may be another: issuer and subject are who it is."""
    first = await (await Browser(external_people).go()).finish()
    provider.person = {"sub": VERIFIED["sub"], "email": "other@example.ru", "email_verified": False}

    second = await (await Browser(external_people).go()).finish()

    assert first.return_to == "/settings"
    assert (first.profile.email, first.profile.name, first.profile.has_password) == (EMAIL, "Анна", False)
    assert first.profile.email_verified
    assert second.profile == first.profile
    assert await external_people.is_logged_in(second.session_id)
    assert await audit_actions(auth_pool, first.profile.user_id) == [
        "user.created",
        "identity.linked",
        "user.logged_in",
        "user.logged_in",
    ]


async def test_an_unverified_address_merges_with_nobody(
    external_people: People, provider: OidcServer, auth_pool: Pool
) -> None:
    """Whoever claims Anna's address elsewhere does not get her account, nor a new one under it."""
    await external_people.seed()
    for verified in (False, None, "true", 1):
        provider.person = {"sub": "mallory", "email": EMAIL, "email_verified": verified}

        refusal = await (await Browser(external_people).go()).refused()

        assert refusal.reason is ErrorReason.PERMISSION_DENIED
        assert refusal.details == {"problem": "email_not_verified"}
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.external_identities") == 0


async def test_who_is_logged_in_links_an_identity(external_people: People) -> None:
    """In the browser that has just proved to be the owner's; from then on the provider opens the account by itself."""
    user_id = await external_people.seed()
    present = (await external_people.log_in()).session_id

    linked = await (await Browser(external_people).go()).finish(previous_session_id=present)

    assert linked.profile.user_id == user_id
    assert (await (await Browser(external_people).go()).finish()).profile.user_id == user_id
    assert (await external_people.log_in()).profile.user_id == user_id


@pytest.mark.parametrize("second_factor", [False, True])
async def test_an_address_alone_links_nothing(
    external_people: People, provider: OidcServer, auth_pool: Pool, second_factor: bool
) -> None:
    """A provider's word is no proof; nor is a login that is long ago, or somebody else's."""
    user_id = await external_people.seed()
    await external_people.seed("boris@example.ru")
    stale, foreign = (await external_people.log_in()).session_id, ""
    if second_factor:
        await external_people.enable_totp(user_id)
    external_people.clock.advance(601)
    provider.now_s = int(external_people.clock.now().timestamp())
    foreign = (await external_people.log_in("boris@example.ru")).session_id

    refusals = [
        await (await Browser(external_people).go()).refused(previous_session_id=session)
        for session in ("", stale, foreign)
    ]

    assert {refusal.reason for refusal in refusals} == {ErrorReason.CONFLICT}
    assert refusals[0].details == {"problem": "account_exists"}
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.external_identities") == 0


async def test_a_disabled_account_stays_shut(external_people: People, auth_pool: Pool) -> None:
    """Whatever the provider says."""
    login = await (await Browser(external_people).go()).finish()
    await auth_pool.execute("UPDATE auth.users SET disabled_at = now() WHERE id = $1", login.profile.user_id)

    refusal = await (await Browser(external_people).go()).refused()

    assert refusal.reason is ErrorReason.INVALID_CREDENTIALS


async def test_two_first_logins_at_once_make_one_account(external_people: People, auth_pool: Pool) -> None:
    """Nobody gets an internal error."""
    browsers = [await Browser(external_people).go() for _ in range(4)]

    results = await asyncio.gather(*(browser.finish() for browser in browsers), return_exceptions=True)

    reasons = {result.reason for result in results if isinstance(result, ServiceError)}
    assert any(isinstance(result, pb.FinishExternalLoginResponse) for result in results)
    assert reasons <= {ErrorReason.CONFLICT}
    assert await count_users(auth_pool) == 1


async def test_the_session_that_the_browser_had_ends(external_people: People) -> None:
    """Rule 13."""
    await external_people.seed()
    before = await external_people.log_in()

    await (await Browser(external_people).go()).finish(previous_session_id=before.session_id)

    assert not await external_people.is_logged_in(before.session_id)


async def test_a_provider_without_openid_is_asked_who_it_is(external_people: People, provider: OidcServer) -> None:
    """Yandex ID: no discovery, no ID token that counts; `id` and `default_email` of its userinfo."""
    provider.userinfo = {"id": "1130000012345678", "default_email": EMAIL, "real_name": "Анна К."}

    login = await (await Browser(external_people, "yandex").go()).finish()

    assert (login.profile.email, login.profile.name) == (EMAIL, "Анна К.")


async def test_userinfo_about_somebody_else_is_refused(external_people: People, provider: OidcServer) -> None:
    """OpenID Connect Core 5.3.2."""
    provider.person = {"sub": "248289761001"}
    provider.userinfo = {"sub": "another", "email": EMAIL, "email_verified": True}

    refusal = await (await Browser(external_people).go()).refused()

    assert refusal.reason is ErrorReason.PROVIDER_ERROR


async def test_a_provider_that_names_another_issuer_is_refused(external_people: People, provider: OidcServer) -> None:
    """OpenID Connect Discovery 4.3."""
    provider.discovery = {"issuer": "https://evil.example"}

    refusal = await external_people.refused(pb.StartExternalLoginRequest(provider_id="test", redirect_uri=CALLBACK))

    assert refusal.reason is ErrorReason.PROVIDER_ERROR


async def test_a_provider_that_names_an_unsafe_address_is_refused(
    external_people: People, provider: OidcServer
) -> None:
    """Our secret would go there in plaintext, a browser into a script, and a question of ours into our own network."""
    members = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
    unsafe = ("http://10.0.0.1/", "http://id.example/", "javascript:alert(1)//id.example", "/x", "https://[", 7)
    start = pb.StartExternalLoginRequest(provider_id="test", redirect_uri=CALLBACK)

    for member, address in product(members, unsafe):
        provider.discovery = {member: address}
        assert (await external_people.refused(start)).reason is ErrorReason.PROVIDER_ERROR, (member, address)

    provider.discovery = {"userinfo_endpoint": ""}
    assert (await external_people.call(start)).redirect_url.startswith(provider.issuer)


async def test_providers_are_listed_without_secrets(external_people: People) -> None:
    """Id and name; an unknown one is not there."""
    listed = await external_people.call(pb.ListExternalProvidersRequest())

    unknown = await external_people.refused(pb.StartExternalLoginRequest(provider_id="nobody", redirect_uri=CALLBACK))

    assert [(each.id, each.name) for each in listed.providers] == [("test", "Test ID"), ("yandex", "Yandex ID")]
    assert unknown.reason is ErrorReason.NOT_FOUND
    assert PASSWORD not in str(listed)


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": ""},
        {"issuer": "http://id.example.ru"},
        {"id": "Bad Id"},
        {"issuer": "", "authorize_url": "https://a", "token_url": "https://a"},
        {"authorize_url": "https://a", "token_url": "https://a"},
    ],
    ids=["no issuer", "no https", "bad id", "no userinfo", "no keys"],
)
def test_incomplete_providers_stop_the_start(changed: dict[str, str]) -> None:
    """Settings are checked."""
    good = {"id": "x", "name": "X", "client_id": "c", "client_secret": "s", "issuer": "https://id.example.ru"}

    ExternalProvider.model_validate(good)
    with pytest.raises(ValidationError):
        ExternalProvider.model_validate(good | changed)
