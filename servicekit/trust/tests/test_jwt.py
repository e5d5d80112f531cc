"""Signed tokens: everything JOSE libraries let through must be refused (first), and what is right accepted."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import hmac
import json
import string
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from servicekit.errors import ErrorReason, Unauthenticated
from servicekit.trust import jwt

NOW: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NOW_S: Final = int(NOW.timestamp())
CLAIMS: Final = {"iss": "https://i", "aud": "api", "sub": "7", "iat": NOW_S, "exp": NOW_S + 900, "jti": "j"}
EXPECTED: Final = jwt.Expected(
    frozenset({"at+jwt"}), "https://i", "api", required=frozenset({"jti", "sub", "iat"}), leeway_s=30
)


@functools.cache
def pem(kind: str) -> str:
    """Return a private key."""
    private = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if kind.startswith("RS")
        else ec.generate_private_key(ec.SECP256R1())
    )
    formats = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private.private_bytes(*formats).decode()


@functools.cache
def signer(algorithm: str = "RS256", kid: str = "k1") -> jwt.Key:
    """Return a key that signs."""
    return jwt.private_key(pem(algorithm), kid=kid, algorithm=algorithm)


@functools.cache
def published(*keys: jwt.Key) -> dict[str, jwt.Key]:
    """Return what a verifier knows."""
    return {key.kid: jwt.public_key(jwt.public_member(key)) for key in keys}


def public_bytes(encoding: serialization.Encoding) -> bytes:
    """Return the public key that is no secret."""
    private = serialization.load_pem_private_key(pem("RS256").encode(), password=None)
    return private.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


def segment(value: Any) -> str:
    """Return one part of a token."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def hs256(header: dict[str, Any], secret: bytes) -> str:
    """Return a token that is signed with a shared secret."""
    head = f"{segment(header)}.{segment(CLAIMS)}"
    return f"{head}.{segment(hmac.digest(secret, head.encode(), hashlib.sha256))}"


def rs256(header: dict[str, Any], payload: Any = CLAIMS) -> str:
    """Return a token with any header or payload and a genuine signature."""
    private = serialization.load_pem_private_key(pem("RS256").encode(), password=None)
    assert isinstance(private, rsa.RSAPrivateKey)
    head = f"{segment(header)}.{segment(payload)}"
    return f"{head}.{segment(private.sign(head.encode(), padding.PKCS1v15(), SHA256()))}"


def verify(token: str, expected: jwt.Expected = EXPECTED) -> dict[str, Any]:
    """Verify with the one key there is."""
    return jwt.verify(token, published(signer()), expected, NOW)


GOOD: Final = {"alg": "RS256", "typ": "at+jwt", "kid": "k1"}


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(lambda: "", id="empty"),
        pytest.param(lambda: "a.b", id="two parts"),
        pytest.param(lambda: "a.b.c.d", id="four parts"),
        pytest.param(lambda: "я.b.c", id="not ASCII"),
        pytest.param(lambda: "a.b.c" * 10_000, id="long"),
        pytest.param(lambda: segment("x") + ".b.c", id="header is no object"),
        pytest.param(lambda: segment(b"\xff\xfe") + ".b.c", id="header is not UTF-8"),
        pytest.param(lambda: segment(b"[" * 5000) + ".b.c", id="deep header"),
        pytest.param(lambda: f"{segment(GOOD | {'alg': 'none'})}.{segment(CLAIMS)}.x", id="alg none"),
        pytest.param(
            lambda: hs256(GOOD | {"alg": "HS256"}, public_bytes(serialization.Encoding.PEM)), id="HS256, public PEM"
        ),
        pytest.param(
            lambda: hs256(GOOD | {"alg": "HS256"}, public_bytes(serialization.Encoding.DER)), id="HS256, public DER"
        ),
        pytest.param(
            lambda: hs256(GOOD | {"alg": "HS256"}, json.dumps(jwt.public_member(signer())).encode()), id="HS256, JWK"
        ),
        pytest.param(lambda: rs256(GOOD | {"alg": "RS512"}), id="another algorithm"),
        pytest.param(lambda: rs256(GOOD | {"alg": ["RS256"]}), id="a list of algorithms"),
        pytest.param(lambda: rs256(GOOD | {"kid": "k2"}), id="unknown kid"),
        pytest.param(lambda: rs256(GOOD | {"kid": 7}), id="kid is a number"),
        pytest.param(lambda: rs256({"alg": "RS256", "typ": "at+jwt"}), id="no kid"),
        pytest.param(lambda: rs256(GOOD | {"typ": "JWT"}), id="another type"),
        pytest.param(lambda: rs256({"alg": "RS256", "kid": "k1"}), id="no type"),
        pytest.param(lambda: rs256(GOOD | {"typ": 7}), id="type is a number"),
        pytest.param(lambda: rs256(GOOD | {"crit": ["x"]}), id="crit"),
        pytest.param(lambda: rs256(GOOD | {"crit": ["b64"], "b64": False}), id="b64"),
        pytest.param(lambda: rs256(GOOD | {"jwk": jwt.public_member(signer())}), id="jwk"),
        pytest.param(lambda: rs256(GOOD | {"jku": "https://evil.example/jwks"}), id="jku"),
        pytest.param(lambda: rs256(GOOD | {"x5u": "https://evil.example/x"}), id="x5u"),
        pytest.param(lambda: rs256(GOOD | {"x5c": ["x"]}), id="x5c"),
        pytest.param(lambda: rs256(GOOD, b"[]"), id="claims are a list"),
        pytest.param(lambda: rs256(GOOD, b'{"exp":NaN}'), id="NaN"),
        pytest.param(lambda: rs256(GOOD, {**CLAIMS, "exp": "9"}), id="exp is a string"),
        pytest.param(lambda: rs256(GOOD, {**CLAIMS, "exp": True}), id="exp is true"),
        pytest.param(lambda: rs256(GOOD, {**CLAIMS, "iat": NOW_S + 31}), id="iat in the future"),
        pytest.param(lambda: rs256(GOOD, {**CLAIMS, "iat": -(10**400)}), id="iat of 400 digits"),
        pytest.param(lambda: rs256(GOOD, {**CLAIMS, "exp": 10**400}), id="exp of 400 digits"),
        pytest.param(lambda: rs256(GOOD, {**CLAIMS, "nbf": NOW_S + 31}), id="nbf in the future"),
        pytest.param(lambda: rs256(GOOD, {**CLAIMS, "iss": "https://i/"}), id="another issuer"),
        pytest.param(lambda: rs256(GOOD, {**CLAIMS, "aud": "apix"}), id="another audience"),
        pytest.param(lambda: rs256(GOOD, {**CLAIMS, "aud": ["x"]}), id="other audiences"),
        pytest.param(lambda: jwt.sign(CLAIMS, jwt.private_key(pem("RSx"), kid="k1", algorithm="RS256"), typ="at+jwt"),
                     id="another key"),
        *(
            pytest.param(lambda name=name: rs256(GOOD, {k: v for k, v in CLAIMS.items() if k != name}), id=f"no {name}")
            for name in CLAIMS
        ),
    ],
)  # fmt: skip
def test_what_is_not_right_is_refused(token: Any) -> None:
    """Rules 38 and 39, with each row of a probe of python-jose: INVALID_TOKEN, never another exception."""
    with pytest.raises(Unauthenticated) as refused:
        verify(token())

    assert refused.value.reason is ErrorReason.INVALID_TOKEN


@settings(deadline=None)
@given(st.text(alphabet="abcXYZ019-_.=+/ \x00я", max_size=200))
def test_no_text_breaks_the_verifier(text: str) -> None:
    """Rule 38: whatever comes, the answer is that it is not valid."""
    with pytest.raises(Unauthenticated):
        verify(text)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(position: int, flip: int) -> None:
    """Rule 38: one changed byte anywhere and the token is not valid."""
    token = bytearray(signed().encode())
    token[position % len(token)] ^= flip

    with pytest.raises(Unauthenticated):
        verify(token.decode("latin-1"))


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_token_has_one_spelling(algorithm: str) -> None:
    """The last character has bits that say nothing of the signature: whoever lists tokens lists one of each."""
    token = signed(algorithm)
    accepted = []
    for last in string.ascii_letters + string.digits + "-_":
        with contextlib.suppress(Unauthenticated):
            jwt.verify(token[:-1] + last, published(signer(algorithm)), EXPECTED, NOW)
            accepted.append(last)

    assert accepted == [token[-1]]


@functools.cache
def signed(algorithm: str = "RS256") -> str:
    """Return a token that is right."""
    return jwt.sign(CLAIMS, signer(algorithm), typ="at+jwt")


def test_the_time_is_over() -> None:
    """Only a token that is right in every other way is told that it expired."""
    on_time = rs256(GOOD, {**CLAIMS, "exp": NOW_S - 29})
    late = rs256(GOOD, {**CLAIMS, "exp": NOW_S - 30})

    assert verify(on_time)
    with pytest.raises(Unauthenticated) as refused:
        verify(late)

    assert refused.value.reason is ErrorReason.TOKEN_EXPIRED


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_what_was_signed_verifies(algorithm: str) -> None:
    """Both algorithms; the audience may be one of several."""
    key = signer(algorithm)
    claims = {**CLAIMS, "aud": ["x", "api"]}

    found = jwt.verify(jwt.sign(claims, key, typ="at+jwt"), published(key), EXPECTED, NOW)

    assert found == claims


def test_a_shared_secret_is_for_its_own_tokens_only() -> None:
    """A key of HS256 has no kid; a token with one, or of another algorithm, is not for it."""
    key, expected = jwt.shared_secret("s" * 32), jwt.Expected(frozenset({"jwt"}), None, None)

    found = jwt.verify(jwt.sign(CLAIMS, key, typ="JWT"), {"": key}, expected, NOW)

    assert found == CLAIMS
    for token in (rs256({"alg": "RS256", "typ": "JWT"}), hs256({"alg": "HS256", "typ": "JWT"}, b"x" * 32)):
        with pytest.raises(Unauthenticated):
            jwt.verify(token, {"": key}, expected, NOW)


def test_only_public_members_are_published() -> None:
    """Rule 40."""
    assert set(jwt.public_member(signer("RS256"))) == {"kty", "n", "e", "kid", "alg", "use"}
    assert set(jwt.public_member(signer("ES256"))) == {"kty", "crv", "x", "y", "kid", "alg", "use"}


@pytest.mark.parametrize("is_locked", [True, False])
def test_what_cannot_sign_is_no_private_key(is_locked: bool) -> None:
    """A key that is locked by a password, or its public half: said when it is read, not when it is first used."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if is_locked:
        lock = serialization.BestAvailableEncryption(b"password")
        given = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    else:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        given = private.public_key().public_bytes(serialization.Encoding.PEM, form)

    with pytest.raises(ValueError, match="key of RS256"):
        jwt.private_key(given.decode(), kid="k1", algorithm="RS256")
