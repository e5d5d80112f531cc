"""Tokens at the API: what they say, and every forgery there is (rules 37 to 41; row API at the gateway)."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.oauth.jwt_parts import claims_of, header_of, segment
from tests.oauth_kit.application import Application, use
from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person
from tools.browser.browser import Browser


@pytest.fixture(scope="module")
def tokens(browser: Browser, public: Application) -> dict[str, Any]:
    """Tokens of a grant that stays."""
    return public.tokens(browser, scope="openid email profile:read models:read")


@pytest.fixture(scope="module")
def own_key() -> rsa.RSAPrivateKey:
    """A key that nobody published."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def jwk(house: House, tokens: dict[str, Any]) -> dict[str, str]:
    """The published key that signed the token."""
    keys = house.http.get("/.well-known/jwks.json").json()["keys"]
    return next(key for key in keys if key["kid"] == header_of(tokens["access_token"])["kid"])


class _Trap(http.server.BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_error(404)

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def trap() -> Iterator[str]:
    """A server that must never be asked; its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Trap)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def public_key(jwk: dict[str, str]) -> rsa.RSAPublicKey:
    def number(name: str) -> int:
        return int.from_bytes(base64.urlsafe_b64decode(jwk[name] + "=="), "big")

    return rsa.RSAPublicNumbers(number("e"), number("n")).public_key()


def signed(key: rsa.RSAPrivateKey, header: dict[str, Any], claims: dict[str, Any]) -> str:
    head = f"{segment(header)}.{segment(claims)}"
    return f"{head}.{segment(key.sign(head.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def mac(secret: bytes, header: dict[str, Any], claims: dict[str, Any]) -> str:
    head = f"{segment(header)}.{segment(claims)}"
    return f"{head}.{segment(hmac.digest(secret, head.encode(), hashlib.sha256))}"


def challenge_of(answer) -> str:
    return str(answer.headers["www-authenticate"])


def assert_invalid(answer) -> None:
    """401, Bearer, invalid_token, and no word more than that."""
    assert answer.status_code == 401, answer.text
    assert challenge_of(answer).startswith("Bearer")
    assert 'error="invalid_token"' in challenge_of(answer)
    assert "Traceback" not in answer.text


def test_an_access_token_says_what_rfc_9068_asks(house: House, tokens: dict[str, Any], public, person: Person):
    """Rule 37: header and claims; no address, no name."""
    header, claims = header_of(tokens["access_token"]), claims_of(tokens["access_token"])

    assert header["typ"] == "at+jwt"
    assert header["alg"] in ("RS256", "ES256", "EdDSA")
    assert header["kid"]
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope"} <= set(claims)
    assert claims["iss"] == house.http.get("/.well-known/openid-configuration").json()["issuer"]
    assert claims["client_id"] == public.client_id
    assert claims["aud"] != public.client_id
    assert claims["sub"] == person.user_id
    assert 0 < claims["exp"] - claims["iat"] <= 900
    assert person.email not in json.dumps(claims)


def test_an_id_token_is_for_the_client(browser: Browser, public: Application, person: Person):
    """Rule 37: aud is the client, the nonce comes back."""
    tokens = public.tokens(browser, scope="openid models:read", nonce="n-0S6_WzA2Mj")

    claims = claims_of(tokens["id_token"])
    assert claims["aud"] in (public.client_id, [public.client_id])
    assert claims["nonce"] == "n-0S6_WzA2Mj"
    assert claims["sub"] == person.user_id
    assert header_of(tokens["id_token"])["typ"] != "at+jwt"


def test_a_token_opens_what_its_scope_says(house: House, tokens: dict[str, Any]):
    """Rule 41; 403 insufficient_scope names the scope."""
    http, token = house.http, tokens["access_token"]

    assert use(http, token).status_code == 200
    assert use(http, token, "/v1/users/me").status_code == 200
    refused = use(http, token, "/v1/keys")

    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in challenge_of(refused)
    assert 'scope="keys:read"' in challenge_of(refused)


def test_without_a_token_the_challenge_names_no_error(house: House):
    """Rule 41; row no token."""
    answer = house.http.get("/v1/models")

    assert answer.status_code == 401
    assert challenge_of(answer).startswith("Bearer")
    assert "error" not in challenge_of(answer)


@pytest.mark.parametrize("which", ["id_token", "refresh_token"])
def test_other_tokens_open_nothing(house: House, tokens: dict[str, Any], which: str):
    """Rules 37, 38; row id_token, refresh token."""
    assert_invalid(use(house.http, tokens[which]))
    assert_invalid(use(house.http, tokens[which], "/userinfo"))


def test_a_code_opens_nothing(house: House, browser: Browser, public: Application):
    """Row code."""
    assert_invalid(use(house.http, public.code(browser).code))


@pytest.mark.parametrize("path", ["/v1/models", "/userinfo"])
def test_a_token_in_the_query_opens_nothing(house: House, tokens: dict[str, Any], path: str):
    """Rule 41; row token in the query."""
    answer = house.http.get(path, params={"access_token": tokens["access_token"]})

    assert answer.status_code in (400, 401)


@pytest.mark.parametrize("scheme", ["Basic", "Token", "DPoP", ""])
def test_other_schemes_open_nothing(house: House, tokens: dict[str, Any], scheme: str):
    """Row Basic scheme."""
    headers = {"authorization": f"{scheme} {tokens['access_token']}".strip()}

    assert house.http.get("/v1/models", headers=headers).status_code in (400, 401)


def forgeries(good: str, jwk: dict[str, str], key: rsa.RSAPrivateKey, trap: str) -> dict[str, str]:
    header, claims = header_of(good), claims_of(good)
    head, body, signature = good.split(".")
    published = public_key(jwk)
    pem = published.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = published.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    numbers = key.public_key().public_numbers()
    own_jwk = {"kty": "RSA", "kid": header["kid"], "n": segment(numbers.n.to_bytes(256, "big")), "e": "AQAB"}
    hs = {**header, "alg": "HS256"}
    admin = {**claims, "scope": "admin"}
    return {
        "garbage": "garbage",
        "three dots": "a.b.c",
        "not base64": "eyJ*.eyJ*.x",
        "no signature": f"{head}.{body}.",
        "cut": good[:-10],
        "another signature": f"{head}.{body}.{segment(b'x' * 256)}",
        "changed claims": f"{head}.{segment(admin)}.{signature}",
        "alg none": f"{segment({**header, 'alg': 'none'})}.{segment(admin)}.",
        "alg None": f"{segment({**header, 'alg': 'None'})}.{segment(admin)}.{signature}",
        "HS256 with the PEM": mac(pem, hs, admin),
        "HS256 with the DER": mac(der, hs, admin),
        "HS256 with the JWK": mac(json.dumps(jwk).encode(), hs, admin),
        "HS256 with nothing": mac(b"", hs, admin),
        "my key, their kid": signed(key, header, admin),
        "my key, no kid": signed(key, {k: v for k, v in header.items() if k != "kid"}, admin),
        "my key, unknown kid": signed(key, {**header, "kid": "mine"}, admin),
        "kid is a path": signed(key, {**header, "kid": "../../dev/null"}, admin),
        "jwk": signed(key, {**header, "jwk": own_jwk}, admin),
        "jku": signed(key, {**header, "jku": f"{trap}/jwks.json"}, admin),
        "x5u": signed(key, {**header, "x5u": f"{trap}/cert.pem"}, admin),
        "another issuer": signed(key, header, {**admin, "iss": trap}),
        "crit": signed(key, {**header, "crit": ["exp"]}, admin),
        "encrypted": ".".join((segment({"alg": "dir", "enc": "A256GCM"}), "", "x", "y", "z")),
        "ten kilobytes": f"{head}.{segment({**claims, 'x': 'x' * 8000})}.{signature}",
    }


FORGERIES = (
    "garbage", "three dots", "not base64", "no signature", "cut", "another signature", "changed claims", "alg none",
    "alg None", "HS256 with the PEM", "HS256 with the DER", "HS256 with the JWK", "HS256 with nothing",
    "my key, their kid", "my key, no kid", "my key, unknown kid", "kid is a path", "jwk", "jku", "x5u",
    "another issuer", "crit", "encrypted", "ten kilobytes",
)  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_tokens_open_nothing(
    house: House, tokens, jwk, own_key, trap: str, name: str, confidential: Application
):
    """Rules 38, 39; row garbage, forged: 401, and nobody is asked for a key."""
    made = forgeries(tokens["access_token"], jwk, own_key, trap)
    assert set(made) == set(FORGERIES)

    for path in ("/v1/models", "/userinfo"):
        assert_invalid(use(house.http, made[name], path))
    assert confidential.introspect(made[name]).json() == {"active": False}
    assert _Trap.asked == []


def asked_for_keys(house: House) -> int:
    """Return how often auth was asked for its keys so far, by all gateways."""
    page = httpx.get(house.stack.metrics_url("auth"), trust_env=False, timeout=60).text
    samples = [each for family in text_string_to_metric_families(page) for each in family.samples]
    asked = [each.value for each in samples if each.name.endswith("_count") and each.labels.get("method") == "GetKeys"]
    assert asked
    return int(sum(asked))


def test_many_unknown_keys_cause_no_storm(house: House, tokens: dict[str, Any], own_key: rsa.RSAPrivateKey):
    """Rule 40: unknown kids are no way to make us work; a good token goes on working."""
    header, claims = header_of(tokens["access_token"]), claims_of(tokens["access_token"])
    before = asked_for_keys(house)

    for number in range(50):
        assert_invalid(use(house.http, signed(own_key, {**header, "kid": f"k{number}"}, claims)))

    assert use(house.http, tokens["access_token"]).status_code == 200
    # Each gateway of the suite asks by itself, once a minute.
    assert asked_for_keys(house) - before < 25


def test_userinfo_tells_what_the_scope_allows(house: House, browser: Browser, public: Application, person: Person):
    """OpenID Connect Core 5.4: `openid` for anything, `email` for the address."""
    little = public.tokens(browser, scope="openid models:read")["access_token"]
    more = public.tokens(browser, scope="openid email")["access_token"]
    none = public.tokens(browser, scope="models:read")["access_token"]

    assert use(house.http, little, "/userinfo").json() == {"sub": person.user_id}
    told = use(house.http, more, "/userinfo")
    assert told.json()["email"] == person.email
    assert told.headers["cache-control"] == "no-store"
    refused = use(house.http, none, "/userinfo")
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in challenge_of(refused)
