"""Signed tokens: one `sign`, one `verify`. All of ours go through here (ADR 0013).

joserfc is asked about one signature with one algorithm and one key; everything else is checked here (RFC 8725, RFC 9068
4). A library's own reading of a token looks at no `typ`, and takes tokens without `aud` or `exp`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from servicekit.errors import ErrorReason, Unauthenticated

# Ours have about 800 characters. What is longer is refused before anything is decoded.
MAX_LENGTH: Final = 8192
COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# A key or its address inside the token is the attacker's; an unknown `crit` must not be ignored; `b64` changes the
# signature's input, `zip` and `enc` belong to encryption.
FORBIDDEN_HEADERS: Final = frozenset({"crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc"})
PrivateKey: TypeAlias = RSAPrivateKey | EllipticCurvePrivateKey
SHARED_ALGORITHM: Final = "HS256"
# The last second of the year 9999. What is further away is no date, and an integer of 400 digits not even a float.
LAST_S: Final = 253_402_300_799
# What an algorithm signs with, and no other kind of key.
KINDS: Final[Mapping[str, type[RSAKey | ECKey]]] = {"RS256": RSAKey, "PS256": RSAKey, "ES256": ECKey}

# What a proof of possession is signed with (see `servicekit.trust.dpop`).
POSSESSED: Final[Mapping[str, type[ECKey | OKPKey]]] = {"ES256": ECKey, "EdDSA": OKPKey, "Ed25519": OKPKey}


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """A key that signs or verifies with exactly one algorithm. `kid` is empty for a shared secret."""

    kid: str
    algorithm: str
    _key: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must be.

    Args:
        types: allowed `typ` headers, in lower case; "" stands for none at all.
        issuer: exact `iss`; None: not looked at.
        audience: what `aud` must be or contain; None: not looked at.
        required: claims that must be there; `exp` always must.
        leeway_s: seconds for which a token counts after its `exp`.
        ahead_s: seconds by which the clock of whoever wrote it may be ahead of ours.
    """

    types: frozenset[str]
    issuer: str | None
    audience: str | None
    required: frozenset[str] = frozenset()
    leeway_s: int = 30
    ahead_s: int = 30


def private_key(private: str | PrivateKey, *, kid: str, algorithm: str) -> Key:
    """Return a key that signs, from a PEM or a key of the cryptography package.

    Raises:
        ValueError: it is no key, or none of this algorithm.
    """
    try:
        key = _imported(private, KINDS[algorithm])
    # TypeError: of a key that is locked by a password.
    except (JoseError, TypeError, UnsupportedAlgorithm) as exc:
        raise ValueError(f"not a key of {algorithm}") from exc
    if not key.is_private:
        raise ValueError(f"only the public half of a key of {algorithm}")
    return Key(kid, algorithm, key)


def _imported(private: str | PrivateKey, kind: type[RSAKey | ECKey]) -> RSAKey | ECKey:
    # A key that was read is taken as it is: read once more it would be proved once more, which takes 50 ms.
    match private:
        case RSAPrivateKey() if kind is RSAKey:
            return RSAKey(private, private)
        case EllipticCurvePrivateKey() if kind is ECKey:
            return ECKey(private, private)
        case str():
            return kind.import_key(private)
        case _:
            raise ValueError(f"not a key of {kind.key_type}")


def key_of_certificate(given: object, *, kid: str) -> Key:
    """Return either half of a certificate's key, with the one algorithm that such a key signs with here.

    Raises:
        ValueError: it is neither RSA nor of the curve P-256.
    """
    match given:
        case EllipticCurvePublicKey(curve=SECP256R1()) | EllipticCurvePrivateKey(curve=SECP256R1()):
            algorithm = "ES256"
        case RSAPublicKey() | RSAPrivateKey():
            algorithm = "PS256"
        case _:
            raise ValueError("the key of a certificate must be RSA or ECDSA with P-256")
    if isinstance(given, EllipticCurvePrivateKey | RSAPrivateKey):
        return private_key(given, kid=kid, algorithm=algorithm)
    pem = given.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return Key(kid, algorithm, KINDS[algorithm].import_key(pem))


def public_key(member: Mapping[str, Any]) -> Key:
    """Return a key that verifies, from a member of a JWK set.

    Raises:
        KeyError, ValueError: it is no key of an algorithm that we know.
    """
    algorithm = str(member["alg"])
    return Key(str(member["kid"]), algorithm, KINDS[algorithm].import_key(dict(member)))


def shared_secret(secret: str) -> Key:
    """Return a key of HS256."""
    return Key("", SHARED_ALGORITHM, OctKey.import_key(secret))


def public_member(key: Key) -> dict[str, str]:
    """Return the public half of a private key as a member of a JWK set."""
    members = key._key.as_dict(private=False)
    public = {name: value for name, value in members.items() if name in ("kty", "n", "e", "crv", "x", "y")}
    return {**public, "kid": key.kid, "alg": key.algorithm, "use": "sig"}


def sign(claims: Mapping[str, Any], key: Key, *, typ: str) -> str:
    """Return the signed token."""
    header = {"alg": key.algorithm, "typ": typ} | ({"kid": key.kid} if key.kid else {})
    signed = f"{_segment(_compact(header))}.{_segment(_compact(claims))}"
    signature = JWSRegistry.algorithms[key.algorithm].sign(signed.encode(), key._key)
    return f"{signed}.{_segment(signature)}"


def _compact(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _segment(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def verify(token: str, keys: Mapping[str, Key], expected: Expected, now: datetime) -> dict[str, Any]:
    """Return the claims of a token that is what is expected. Looks up nothing but `keys`, by the token's `kid`.

    Raises:
        Unauthenticated: TOKEN_EXPIRED: all is right, but its time is over; INVALID_TOKEN: anything else.
    """
    if len(token) > MAX_LENGTH or not COMPACT.fullmatch(token):
        raise _invalid()
    header = read_object(token.partition(".")[0])
    key = keys.get(_text(header, "kid"))
    if key is None or header.get("alg") != key.algorithm or FORBIDDEN_HEADERS & header.keys():
        raise _invalid()
    if _text(header, "typ").lower() not in expected.types:
        raise _invalid()
    if not _is_signed(token, key):
        raise _invalid()
    claims = read_object(token.split(".")[1])
    _check_claims(claims, expected, now.timestamp())
    return claims


def is_signed_by(token: str, algorithm: str, members: Mapping[str, str]) -> bool:
    """Tell whether a token is signed by this public key: that its sender holds the key, and nothing else."""
    signed, _, signature = token.rpartition(".")
    try:
        key = POSSESSED[algorithm].import_key(dict(members))
        return JWSRegistry.algorithms[algorithm].verify(signed.encode(), decode_segment(signature), key)
    except (JoseError, ValueError):
        return False


def _is_signed(token: str, key: Key) -> bool:
    signed, _, signature = token.rpartition(".")
    try:
        raw = decode_segment(signature)
    except ValueError:
        return False
    return JWSRegistry.algorithms[key.algorithm].verify(signed.encode(), raw, key._key)


def decode_segment(segment: str) -> bytes:
    """Return the bytes of one part of a token.

    Raises:
        ValueError: it is not base64url, or not as these bytes are written: the last character has bits to spare, and
            Python reads past what is no character, so that a token would have many spellings.
    """
    raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if _segment(raw) != segment:
        raise ValueError("another spelling of base64url")
    return raw


def _check_claims(claims: dict[str, Any], expected: Expected, now_s: float) -> None:
    if not expected.required <= claims.keys():
        raise _invalid()
    if expected.issuer is not None and claims.get("iss") != expected.issuer:
        raise _invalid()
    if expected.audience is not None and not _is_for(claims.get("aud"), expected.audience):
        raise _invalid()
    for name in ("iat", "nbf"):
        if name in claims and _moment(claims[name]) > now_s + expected.ahead_s:
            raise _invalid()
    if "exp" not in claims:
        raise _invalid()
    if _moment(claims["exp"]) <= now_s - expected.leeway_s:
        raise Unauthenticated(ErrorReason.TOKEN_EXPIRED, "The token has expired.")


def _is_for(aud: object, audience: str) -> bool:
    return aud == audience or (isinstance(aud, list) and audience in aud)


def _moment(value: object) -> float:
    # NaN never gets here: JSON has none, and `read_object` refuses what Python's parser adds.
    if isinstance(value, bool) or not isinstance(value, int | float) or not -LAST_S <= value <= LAST_S:
        raise _invalid()
    return value


def _text(header: dict[str, Any], name: str) -> str:
    value = header.get(name, "")
    if not isinstance(value, str):
        raise _invalid()
    return value


def read_object(segment: str) -> dict[str, Any]:
    """Return the JSON object in one part of a token.

    Raises:
        Unauthenticated: INVALID_TOKEN: there is none.
    """
    try:
        read = json.loads(decode_segment(segment), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise _invalid() from exc
    if not isinstance(read, dict):
        raise _invalid()
    return read


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _invalid() -> Unauthenticated:
    return Unauthenticated(ErrorReason.INVALID_TOKEN, "The token is not valid.")
