"""Access tokens at the API: what counts as one, what it may do, and when it ends."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from razvilka.auth.v1 import auth_pb2, oauth_pb2

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing import FakeClock
from servicekit.trust import jwt
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge, StartGateway, visitor
from services.gateway.tests.identity_backends import KEY_1, access_token, claims, signing_key

ROOT = Path(__file__).parents[4]
MODELS = "/v1/models"
PAID = "/v1/chat/completions"
CHAT = {"model": "yandexgpt", "messages": [{"role": "user", "content": "Привет"}]}


async def ask(edge: Edge, token: str, path: str = MODELS) -> httpx.Response:
    """Ask with a token."""
    return await edge.client.get(path, headers={"authorization": f"Bearer {token}"})


def challenge(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and the challenge."""
    return answer.status_code, answer.headers.get("www-authenticate", "")


DPOP = 'DPoP realm="razvilka", algs="ES256 EdDSA Ed25519"'
INVALID = (401, f'Bearer realm="razvilka", error="invalid_token", {DPOP}')


async def test_a_token_opens_the_api_beside_keys(edge: Edge, backends: Backends) -> None:
    """The same routes take both; usage is booked to the grant (rule 38)."""
    answer = await edge.client.post(PAID, json=CHAT, headers={"authorization": f"Bearer {access_token()}"})
    with_key = await edge.client.get(MODELS, headers={"authorization": f"Bearer {KEY}"})

    row = await backends.usage.row(answer.headers["x-request-id"])
    assert (answer.status_code, with_key.status_code) == (200, 200)
    assert (row.user_id, row.grant_id, row.key_id) == ("user-1", "grant-1", "")


async def test_no_credential_is_told_apart_from_a_bad_one(edge: Edge) -> None:
    """RFC 6750 3: no error where nothing was sent (rule 41)."""
    async with visitor(edge) as stranger:
        nothing = await stranger.get(MODELS)
        basic = await stranger.get(MODELS, headers={"authorization": "Basic dTpw"})

    assert challenge(nothing) == (401, f'Bearer realm="razvilka", {DPOP}')
    assert challenge(basic) == (401, f'Bearer realm="razvilka", {DPOP}')


async def test_a_token_in_the_address_is_refused(edge: Edge) -> None:
    """Whether or not the header has one too (rule 41)."""
    answer = await edge.client.get(f"{MODELS}?access_token={access_token()}")

    assert answer.status_code == 400


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _forged(header: dict[str, Any], secret: bytes = b"", **changes: Any) -> str:
    signed = f"{_b64(msgspec.json.encode(header))}.{_b64(msgspec.json.encode(claims(**changes)))}"
    mac = hmac.digest(secret, signed.encode(), hashlib.sha256) if secret else b"x"
    return f"{signed}.{_b64(mac)}"


def _public(encoding: serialization.Encoding) -> bytes:
    public: RSAPublicKey = KEY_1._key.public_key
    return public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


def _with_header(**extra: Any) -> str:
    """Return a token signed by our own key with more in its header."""
    header = {"alg": "RS256", "typ": "at+jwt", "kid": "k1", **extra}
    signed = ".".join(_segment(json.dumps(each).encode()) for each in (header, claims()))
    signature = KEY_1._key.private_key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{_segment(signature)}"


def _segment(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


NOW = int(time.time())  # of the import, which may be long before the test runs
LONG = 10 * 365 * 86_400
STRANGE = signing_key("k1")
BAD = {
    "another key under our kid": lambda: access_token(STRANGE),
    "an unknown kid": lambda: access_token(signing_key("k9")),
    "no signature": lambda: _forged({"alg": "none", "typ": "at+jwt", "kid": "k1"}),
    "HS256 under the public key as PEM": lambda: _forged(
        {"alg": "HS256", "typ": "at+jwt", "kid": "k1"}, _public(serialization.Encoding.PEM)
    ),
    "HS256 under the public key as DER": lambda: _forged(
        {"alg": "HS256", "typ": "at+jwt", "kid": "k1"}, _public(serialization.Encoding.DER)
    ),
    "HS256 under the public key as JWK": lambda: _forged(
        {"alg": "HS256", "typ": "at+jwt", "kid": "k1"}, json.dumps(jwt.public_member(KEY_1)).encode()
    ),
    "a key of its own": lambda: _with_header(jwk=jwt.public_member(STRANGE)),
    "the address of a key": lambda: _with_header(jku="http://127.0.0.1:1/keys"),
    "the address of a certificate": lambda: _with_header(x5u="http://127.0.0.1:1/cert"),
    "a certificate": lambda: _with_header(x5c=["MIIB"]),
    "something critical": lambda: _with_header(crit=["exp"]),
    "an ID token": lambda: access_token(typ="JWT", aud="app-1"),
    "an ID token for the API": lambda: access_token(typ="JWT"),
    "another issuer": lambda: access_token(iss="http://127.0.0.1:8080/"),
    "no issuer": lambda: access_token(iss=None),
    "another audience": lambda: access_token(aud="app-1"),
    "no audience": lambda: access_token(aud=None),
    "expired": lambda: access_token(iat=NOW - 1000, exp=NOW - 100),
    "no expiry": lambda: access_token(exp=None),
    "from the future": lambda: access_token(iat=NOW + LONG, exp=NOW + LONG + 900),
    "not valid yet": lambda: access_token(nbf=NOW + LONG),
    "no jti": lambda: access_token(jti=None),
    "no grant": lambda: access_token(gid=None),
    "no subject": lambda: access_token(sub=None),
    "a grant that is no text": lambda: access_token(gid=5),
    "somebody else's grant": lambda: access_token(sub="user-2"),
    "an unknown grant": lambda: access_token(gid="grant-9"),
    "garbage": lambda: "eyJhbGciOiJ.x.y",
    "a refresh token": lambda: "rz_rt_" + "a" * 43,
    "a code": lambda: "rz_ac_" + "a" * 43,
    "too long": lambda: access_token(scope="x" * 7000),
}


async def test_what_is_no_access_token_of_ours_is_refused(edge: Edge) -> None:
    """401 invalid_token for each of them (rules 37 and 38)."""
    answers = {name: challenge(await ask(edge, make())) for name, make in BAD.items()}

    assert answers == dict.fromkeys(BAD, INVALID)


async def test_a_new_signing_key_is_learned_once(start_gateway: StartGateway, backends: Backends) -> None:
    """An unknown kid asks auth again, at most once in 30 s (rule 40), which do not pass here."""
    edge = await start_gateway(clock=FakeClock(datetime.now(UTC)))
    fresh = signing_key("k2")
    backends.oauth.keys.append(fresh)
    before = backends.oauth.count("GetKeys")

    answer = await ask(edge, access_token(fresh))
    for _ in range(5):
        await ask(edge, access_token(signing_key("k3")))

    assert answer.status_code == 200
    assert backends.oauth.count("GetKeys") == before + 1


async def test_scopes_are_those_of_the_token_and_of_the_grant(edge: Edge, backends: Backends) -> None:
    """A token never exceeds its grant, nor the grant its token; the missing scope is named (rule 41)."""
    narrow = access_token(scope="completions:write", jti="narrow")
    backends.oauth.grants["grant-2"] = caller(scopes=["completions:write"], grant_id="grant-2")
    shrunk = access_token(gid="grant-2", jti="shrunk")

    answers = [await ask(edge, narrow), await ask(edge, shrunk)]

    expected = (403, 'Bearer realm="razvilka", error="insufficient_scope", scope="models:read"')
    assert [challenge(answer) for answer in answers] == [expected, expected]


async def test_the_limits_of_the_grant_hold(edge: Edge, backends: Backends) -> None:
    """Models and budgets come from the grant, not from the token."""
    backends.oauth.grants["grant-1"] = caller(grant_id="grant-1", key_id="", models=["gigachat-pro"])

    answer = await edge.client.post(PAID, json=CHAT, headers={"authorization": f"Bearer {access_token()}"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "model_not_allowed")


async def test_spending_is_booked_to_the_consent_that_caps_it(edge: Edge, backends: Backends) -> None:
    """Authorizing again without being asked does not fill the cap up: its rows name the first grant."""
    cap = auth_pb2.Budget(subject="grant:first", period=auth_pb2.BUDGET_PERIOD_MONTH, limit_micro_rub=10**12)
    backends.oauth.grants["grant-1"] = caller(grant_id="grant-1", key_id="", budgets=[cap])
    backends.usage.spend = 0

    answer = await edge.client.post(PAID, json=CHAT, headers={"authorization": f"Bearer {access_token()}"})

    assert answer.status_code == 200, answer.text
    assert (await backends.usage.row(answer.headers["x-request-id"])).grant_id == "first"


async def test_an_application_let_in_again_makes_keys_as_the_grant_it_has(edge: Edge, backends: Backends) -> None:
    """Auth asks for the credential that is shown: the consent that its soft cap names is another grant."""
    cap = auth_pb2.Budget(subject="grant:first", period=auth_pb2.BUDGET_PERIOD_MONTH, limit_micro_rub=10**12)
    cap.mode = auth_pb2.CAP_MODE_SOFT
    backends.oauth.grants["grant-1"] = caller(
        grant_id="grant-1", key_id="", budgets=[cap], scopes=["keys:write", "models:read"]
    )
    token = access_token(scope="keys:write models:read")

    answer = await edge.client.post("/v1/keys", json={"name": "CI"}, headers={"authorization": f"Bearer {token}"})

    assert answer.status_code == 201, answer.text
    assert backends.auth.ordered.maker.subject == "grant:grant-1"


async def test_a_client_in_its_own_name_is_its_owner(edge: Edge, backends: Backends) -> None:
    """client_credentials: the subject is the client, the bill is its owner's (RFC 9068 2.2)."""
    backends.oauth.grants["own"] = caller(user_id="owner-7", key_id="", grant_id="own", client_id="app-1")

    answer = await ask(edge, access_token(sub="app-1", gid="own", sid=None))

    (asked,) = [each for each in backends.oauth.requests if isinstance(each, oauth_pb2.GetGrantRequest)]
    assert answer.status_code == 200
    assert (asked.grant_id, asked.user_id) == ("own", "")


async def test_a_verified_token_is_not_verified_again(start_gateway: StartGateway, backends: Backends) -> None:
    """One question about the grant serves all requests of the next seconds, of which none passes here."""
    edge = await start_gateway(clock=FakeClock(datetime.now(UTC)))
    token = access_token()
    answers = [(await ask(edge, token)).status_code for _ in range(5)]

    assert answers == [200] * 5
    assert backends.oauth.count("GetGrant") == 1


async def test_auth_being_away_ends_nothing_that_is_known(edge: Edge, backends: Backends) -> None:
    """What was verified goes on for minutes; what is unknown waits: 503, never anonymous."""
    edge_token, unknown = access_token(), access_token(gid="grant-2", jti="other")
    await ask(edge, edge_token)
    backends.oauth.failing = Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "down")

    known, fresh = await ask(edge, edge_token), await ask(edge, unknown)

    assert (known.status_code, fresh.status_code) == (200, 503)


def test_only_one_module_imports_jose() -> None:
    """Every other use of the library would have to repeat its checks (rule 39)."""
    importing = {
        str(path.relative_to(ROOT))
        for folder in ("services/gateway", "servicekit")
        for path in (ROOT / folder).rglob("*.py")
        if "tests" not in path.parts and any(line.startswith(("import jose", "from jose")) for line in path.open())
    }

    assert importing == {"servicekit/trust/jwt.py"}


def test_tiers_are_known() -> None:
    """A tier that auth adds must not become free unnoticed."""
    from services.gateway.clients.periods import TIERS

    assert set(TIERS) == set(auth_pb2.Tier.values()) - {auth_pb2.TIER_UNSPECIFIED}
