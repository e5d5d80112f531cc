"""Tokens with a genuine signature and wrong claims (rule 38): the signing key is taken out of the suite's database."""

import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from services.auth.oauth.tokens.key_sealing import KeySealer
from tests.integration.oauth.jwt_parts import claims_of, header_of, segment
from tests.oauth_kit.application import Application, use
from tests.oauth_kit.house import House
from tools.browser.browser import Browser

GONE: Any = object()
# Seconds in which no run of these tests, however slow, ends.
LONG = 10 * 365 * 86_400


@pytest.fixture(scope="module")
def good(browser: Browser, public: Application) -> str:
    """A token that works."""
    return str(public.tokens(browser, scope="openid models:read")["access_token"])


@pytest.fixture(scope="module")
def stolen(house: House, good: str) -> rsa.RSAPrivateKey:
    """The key that signs tokens, as only a thief of database and secrets has it."""
    kid = header_of(good)["kid"]
    row = house.stack.query("SELECT sealed FROM auth.oauth_signing_keys WHERE kid = $1", kid)[0]
    der = KeySealer([house.stack.parts.secrets["signing_key_secret"]]).open(kid, row["sealed"])
    assert der is not None
    key = serialization.load_der_private_key(der, password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def signed(key: rsa.RSAPrivateKey, good: str, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return a token that is like the good one, but for these changes, and fresh: nothing else ends it."""
    now = int(time.time())
    head = ".".join(
        segment({name: value for name, value in part.items() if value is not GONE})
        for part in (header_of(good) | header, claims_of(good) | {"iat": now, "exp": now + 900} | claims)
    )
    return f"{head}.{segment(key.sign(head.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def test_the_stolen_key_is_the_right_one(house: House, good: str, stolen: rsa.RSAPrivateKey):
    """Otherwise every test below would be green for nothing."""
    assert use(house.http, signed(stolen, good, {}, {})).status_code == 200


WRONG_HEADERS = {
    "typ JWT": {"typ": "JWT"},
    "no typ": {"typ": GONE},
    "no kid": {"kid": GONE},
    "unknown crit": {"crit": ["b64"], "b64": False},
    "jwk": {"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}},
    "jku": {"jku": "https://evil.example/jwks.json"},
    "x5c": {"x5c": ["MIIB"]},
    "alg RS512": {"alg": "RS512"},
}
NOW = int(time.time())  # of the import, which may be long before a test runs
WRONG_CLAIMS: dict[str, Any] = {
    "expired": {"iat": NOW - 2000, "exp": NOW - 100},
    "no exp": {"exp": GONE},
    "exp is text": {"exp": "9999999999"},
    "exp is null": {"exp": None},
    "not yet valid": {"nbf": NOW + LONG},
    "issued in the future": {"iat": NOW + LONG, "exp": NOW + LONG + 900},
    "no iat": {"iat": GONE},
    "another issuer": {"iss": "https://evil.example"},
    "a longer issuer": None,
    "no issuer": {"iss": GONE},
    "another audience": {"aud": "https://evil.example"},
    "no audience": {"aud": GONE},
    "an empty list of audiences": {"aud": []},
    "the client as audience": None,
    "no jti": {"jti": GONE},
    "no sub": {"sub": GONE},
    "no client": {"client_id": GONE},
}


@pytest.mark.parametrize("header", WRONG_HEADERS.values(), ids=WRONG_HEADERS)
def test_a_wrong_header_opens_nothing(house: House, good: str, stolen, header: dict[str, Any]):
    """Rules 37, 38: typ at+jwt, key by kid, no jwk, jku, x5c, no unknown crit, one algorithm."""
    answer = use(house.http, signed(stolen, good, header, {}))

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("name", WRONG_CLAIMS)
def test_a_wrong_claim_opens_nothing(
    house: House, good: str, stolen, public: Application, confidential: Application, name: str
):
    """Rule 38: exp, nbf, iat, iss, aud, sub, client_id and jti are required and right."""
    special = {"a longer issuer": {"iss": house.url + "/"}, "the client as audience": {"aud": public.client_id}}
    token = signed(stolen, good, {}, WRONG_CLAIMS[name] or special[name])

    answer = use(house.http, token)

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert use(house.http, token, "/userinfo").status_code == 401
    assert confidential.introspect(token).json() == {"active": False}


def test_a_grant_that_never_was_opens_nothing(house: House, good: str, stolen):
    """A token is worth no more than its grant."""
    names = [name for name, value in claims_of(good).items() if name in ("gid", "grant_id", "sid")]
    assert names
    token = signed(stolen, good, {}, {names[0]: "00000000-0000-4000-8000-000000000000"})

    assert use(house.http, token).status_code == 401


def test_a_wider_scope_than_the_grants_opens_nothing_more(house: House, good: str, stolen):
    """Rule 17: the gateway takes what grant and token share."""
    token = signed(stolen, good, {}, {"scope": "models:read keys:read admin"})

    assert use(house.http, token, "/v1/keys").status_code == 403
