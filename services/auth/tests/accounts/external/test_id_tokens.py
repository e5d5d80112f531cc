"""What another provider says is believed only when it holds."""

from __future__ import annotations

from typing import Any, TypeAlias

import asyncpg
import pytest

from servicekit.errors import ErrorReason
from services.auth.tests.accounts.conftest import People
from services.auth.tests.accounts.external.external_kit import Browser, count_users
from services.auth.tests.accounts.oidc_server import CLIENT_ID, OidcServer

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


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
    external_people: People, provider: OidcServer, auth_pool: Pool, forge: str, lies: dict[str, Any]
) -> None:
    """Rules 36 to 38 at this end: signature, issuer, audience, nonce, times."""
    provider.forge, provider.lies = forge, lies
    browser = await Browser(external_people).go()

    refusal = await browser.refused()

    assert refusal.reason is ErrorReason.PROVIDER_ERROR
    assert provider.redeemed == 1
    assert await count_users(auth_pool) == 0
    assert refusal.message.startswith("The login provider did not confirm")
