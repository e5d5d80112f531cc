"""Logging in by another OpenID provider, over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import httpx
import pytest
from pydantic import ValidationError
from razvilka.auth.v1 import account_pb2 as pb
from razvilka.auth.v1 import oauth_pb2

from servicekit.errors import ErrorReason, ServiceError
from services.auth.account_settings import ExternalProvider
from services.auth.tests.accounts.conftest import CHEAP, EMAIL, PASSWORD, People, StartPeople, audit_actions
from services.auth.tests.accounts.oidc_server import CLIENT_ID, CLIENT_SECRET, OidcServer, RunningOidcServer
from services.auth.tests.conftest import settings_for

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
CALLBACK = "http://127.0.0.1:8080/login/external/test/callback"
VERIFIED = {"sub": "248289761001", "email": EMAIL, "email_verified": True, "name": "Анна"}


@pytest.fixture
async def provider(free_port: int) -> AsyncIterator[OidcServer]:
    """Return a provider where Anna is logged in, her address verified."""
    async with RunningOidcServer(free_port) as running:
        running.person = dict(VERIFIED)
        yield running


@pytest.fixture
async def people(
    start_people: StartPeople, provider: OidcServer, auth_dsn: str, redis_url: str
) -> AsyncIterator[People]:
    """Return people who may log in by that provider, or by one that only speaks OAuth, like Yandex ID."""
    ours = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    oauth_only = {
        "authorize_url": f"{provider.issuer}/authorize",
        "token_url": f"{provider.issuer}/token",
        "userinfo_url": f"{provider.issuer}/userinfo",
        "scopes": ("login:email", "login:info"),
        "verifies_emails": True,
    }
    providers = (
        {"id": "test", "name": "Test ID", "issuer": provider.issuer, **ours},
        {"id": "yandex", "name": "Yandex ID", **oauth_only, **ours},
    )
    settings = settings_for(
        *(auth_dsn, redis_url), password=CHEAP, demo=True, outbox=True, external={"providers": providers}
    )
    async with start_people(settings) as found:
        yield found


class Browser:
    """A browser on its way to a provider and back."""

    def __init__(self, people: People, provider_id: str = "test") -> None:
        self.people = people
        self.provider_id = provider_id
        self.cookie = ""
        self.params: list[tuple[str, str]] = []

    async def go(self) -> Browser:
        """Go to the provider, log in there, and come back."""
        asked = pb.StartExternalLoginRequest(provider_id=self.provider_id, return_to="/settings", redirect_uri=CALLBACK)
        departure = await self.people.call(asked)
        self.cookie = departure.state_cookie
        async with httpx.AsyncClient() as client:
            answer = await client.get(departure.redirect_url)
        back = urlsplit(answer.headers["location"])
        assert f"{back.scheme}://{back.netloc}{back.path}" == CALLBACK
        self.params = parse_qsl(back.query)
        return self

    async def finish(self, **changed: Any) -> pb.FinishExternalLoginResponse:
        """Show the gateway what came back."""
        fields: dict[str, Any] = {
            "provider_id": self.provider_id,
            "params": [oauth_pb2.Param(name=name, value=value) for name, value in self.params],
            "state_cookie": self.cookie,
            "redirect_uri": CALLBACK,
        }
        answer: pb.FinishExternalLoginResponse = await self.people.call(
            pb.FinishExternalLoginRequest(**(fields | changed))
        )
        return answer

    async def refused(self, **changed: Any) -> ServiceError:
        """Return the error it is answered with."""
        with pytest.raises(ServiceError) as caught:
            await self.finish(**changed)
        return caught.value

    def with_param(self, name: str, value: str | None) -> Browser:
        """Come back with one parameter changed, or without it."""
        self.params = [pair for pair in self.params if pair[0] != name]
        if value is not None:
            self.params.append((name, value))
        return self


async def count_users(pool: Pool) -> object:
    """Return how many accounts there are."""
    return await pool.fetchval("SELECT count(*) FROM auth.users")


@pytest.mark.parametrize(
    ("forge", "lies"),
    [
        pytest.param("none", {}, id="alg none"),
        pytest.param("hmac with the public key", {}, id="HS256 with the public key"),
        pytest.param("hmac with the client secret", {}, id="HS256 with the client secret"),
        pytest.param("another key, same kid", {}, id="another key"),
        pytest.param("own key in the header", {}, id="jwk header"),
        pytest.param("garbage", {}, id="garbage"),
        pytest.param("broken", {}, id="500"),
        pytest.param("", {"iss": "https://evil.example"}, id="other issuer"),
        pytest.param("", {"iss": None}, id="no issuer"),
        pytest.param("", {"aud": "another-client"}, id="other audience"),
        pytest.param("", {"aud": [CLIENT_ID, "another"], "azp": "another"}, id="other authorized party"),
        pytest.param("", {"aud": None}, id="no audience"),
        pytest.param("", {"nonce": "replayed"}, id="other nonce"),
        pytest.param("", {"nonce": None}, id="no nonce"),
        pytest.param("", {"exp": 1795435200 - 61}, id="expired"),
        pytest.param("", {"exp": None}, id="no expiry"),
        pytest.param("", {"sub": None}, id="no subject"),
        pytest.param("", {"sub": ""}, id="empty subject"),
        pytest.param("", {"sub": "x" * 256}, id="long subject"),
    ],
)
async def test_an_id_token_that_does_not_hold_lets_nobody_in(
    people: People, provider: OidcServer, auth_pool: Pool, forge: str, lies: dict[str, Any]
) -> None:
    """Rules 36 to 38 at this end: signature, issuer, audience, nonce, times."""
    provider.forge, provider.lies = forge, lies
    browser = await Browser(people).go()

    refusal = await browser.refused()

    assert refusal.reason is ErrorReason.PROVIDER_ERROR
    assert provider.redeemed == 1
    assert await count_users(auth_pool) == 0
    assert refusal.message.startswith("The login provider did not confirm")


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
    people: People, provider: OidcServer, name: str, value: str | None
) -> None:
    """The code is not even redeemed."""
    browser = (await Browser(people).go()).with_param(name, value)

    refusal = await browser.refused()

    assert refusal.reason is ErrorReason.INVALID_TOKEN
    assert provider.redeemed == 0


async def test_another_browser_cannot_finish_it(people: People, provider: OidcServer) -> None:
    """Login CSRF: the cookie binds; a wrong one uses the state up."""
    browser = await Browser(people).go()
    stranger = await Browser(people).go()

    refusals = [
        await browser.refused(state_cookie=stranger.cookie),
        await browser.refused(),
        await stranger.refused(provider_id="yandex"),
        await stranger.refused(),
        await (await Browser(people).go()).refused(redirect_uri=CALLBACK + "/other"),
        await (await Browser(people).go()).refused(params=[oauth_pb2.Param(name="state", value="x")] * 2),
    ]

    assert {refusal.reason for refusal in refusals} == {ErrorReason.INVALID_TOKEN}
    assert provider.redeemed == 0


async def test_a_return_counts_once(people: People, provider: OidcServer) -> None:
    """Also when it comes twice at the same moment."""
    browser = await Browser(people).go()

    results = await asyncio.gather(*(browser.finish() for _ in range(5)), return_exceptions=True)

    assert sum(isinstance(result, pb.FinishExternalLoginResponse) for result in results) == 1
    assert provider.redeemed == 1


async def test_a_new_person_gets_an_account_and_is_known_by_subject_later(
    people: People, provider: OidcServer, auth_pool: Pool
) -> None:
    """The second time the address may be another: issuer and subject are who it is."""
    first = await (await Browser(people).go()).finish()
    provider.person = {"sub": VERIFIED["sub"], "email": "other@example.ru", "email_verified": False}

    second = await (await Browser(people).go()).finish()

    assert first.return_to == "/settings"
    assert (first.profile.email, first.profile.name, first.profile.has_password) == (EMAIL, "Анна", False)
    assert first.profile.email_verified
    assert second.profile == first.profile
    assert await people.is_logged_in(second.session_id)
    assert await audit_actions(auth_pool, first.profile.user_id) == [
        "user.created",
        "identity.linked",
        "user.logged_in",
        "user.logged_in",
    ]


async def test_an_unverified_address_merges_with_nobody(people: People, provider: OidcServer, auth_pool: Pool) -> None:
    """Whoever claims Anna's address elsewhere does not get her account, nor a new one under it."""
    await people.seed()
    for verified in (False, None, "true", 1):
        provider.person = {"sub": "mallory", "email": EMAIL, "email_verified": verified}

        refusal = await (await Browser(people).go()).refused()

        assert refusal.reason is ErrorReason.PERMISSION_DENIED
        assert refusal.details == {"problem": "email_not_verified"}
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.external_identities") == 0


async def test_a_verified_address_finds_its_account(people: People) -> None:
    """The password still opens it too."""
    user_id = await people.seed()

    login = await (await Browser(people).go()).finish()

    assert login.profile.user_id == user_id
    assert (await people.log_in()).profile.user_id == user_id


async def test_a_second_factor_is_not_walked_around(people: People, auth_pool: Pool) -> None:
    """An account with one is not linked by a mere address."""
    await people.enable_totp(await people.seed())

    refusal = await (await Browser(people).go()).refused()

    assert (refusal.reason, refusal.details) == (ErrorReason.CONFLICT, {"problem": "second_factor"})
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.external_identities") == 0


async def test_a_disabled_account_stays_shut(people: People, auth_pool: Pool) -> None:
    """Whatever the provider says."""
    login = await (await Browser(people).go()).finish()
    await auth_pool.execute("UPDATE auth.users SET disabled_at = now() WHERE id = $1", login.profile.user_id)

    refusal = await (await Browser(people).go()).refused()

    assert refusal.reason is ErrorReason.INVALID_CREDENTIALS


async def test_two_first_logins_at_once_make_one_account(people: People, auth_pool: Pool) -> None:
    """Nobody gets an internal error."""
    browsers = [await Browser(people).go() for _ in range(4)]

    results = await asyncio.gather(*(browser.finish() for browser in browsers), return_exceptions=True)

    reasons = {result.reason for result in results if isinstance(result, ServiceError)}
    assert any(isinstance(result, pb.FinishExternalLoginResponse) for result in results)
    assert reasons <= {ErrorReason.CONFLICT}
    assert await count_users(auth_pool) == 1


async def test_the_session_that_the_browser_had_ends(people: People) -> None:
    """Rule 13."""
    await people.seed()
    before = await people.log_in()

    await (await Browser(people).go()).finish(previous_session_id=before.session_id)

    assert not await people.is_logged_in(before.session_id)


async def test_a_provider_without_openid_is_asked_who_it_is(people: People, provider: OidcServer) -> None:
    """Yandex ID: no discovery, no ID token that counts; `id` and `default_email` of its userinfo."""
    provider.userinfo = {"id": "1130000012345678", "default_email": EMAIL, "real_name": "Анна К."}

    login = await (await Browser(people, "yandex").go()).finish()

    assert (login.profile.email, login.profile.name) == (EMAIL, "Анна К.")


async def test_userinfo_about_somebody_else_is_refused(people: People, provider: OidcServer) -> None:
    """OpenID Connect Core 5.3.2."""
    provider.person = {"sub": "248289761001"}
    provider.userinfo = {"sub": "another", "email": EMAIL, "email_verified": True}

    refusal = await (await Browser(people).go()).refused()

    assert refusal.reason is ErrorReason.PROVIDER_ERROR


async def test_a_provider_that_names_another_issuer_is_refused(people: People, provider: OidcServer) -> None:
    """OpenID Connect Discovery 4.3."""
    provider.discovery = {"issuer": "https://evil.example"}

    refusal = await people.refused(pb.StartExternalLoginRequest(provider_id="test", redirect_uri=CALLBACK))

    assert refusal.reason is ErrorReason.PROVIDER_ERROR


async def test_providers_are_listed_without_secrets(people: People) -> None:
    """Id and name; an unknown one is not there."""
    listed = await people.call(pb.ListExternalProvidersRequest())

    unknown = await people.refused(pb.StartExternalLoginRequest(provider_id="nobody", redirect_uri=CALLBACK))

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
