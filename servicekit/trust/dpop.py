"""Proofs of possession (RFC 9449 4): a client shows that it holds the key that its token is bound to.

A proof is a small JWT with its own public key in the header; `jwt` beside this takes no such thing on purpose. Elliptic
curves only: an RSA key of a stranger's making can cost seconds to verify with.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast
from urllib.parse import urlsplit

from servicekit.errors import Unauthenticated
from servicekit.trust.jwt import COMPACT, POSSESSED, is_signed_by, read_object

TYPE: Final = "dpop+jwt"
ALGORITHMS: Final = tuple(POSSESSED)
# A proof has some 500 characters.
MAX_LENGTH: Final = 4096
# How far a client's clock may be off; so long, in both directions, a proof could be replayed.
LEEWAY_S: Final = 60
REPLAY_WINDOW_S: Final = 2 * LEEWAY_S + 10
JTI: Final = re.compile(r"[\x21-\x7e]{1,128}")
THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}")
COORDINATE: Final = THUMBPRINT
MAX_NONCE_LENGTH: Final = 256
DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class BadProof(Exception):
    """A proof that proves nothing; the message says to the client's developer what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a good proof says. `nonce` is "" when it has none.

    Whether its `jti` was seen before and its nonce is one of ours is for the caller to tell.
    """

    thumbprint: str
    jti: str
    nonce: str

    @property
    def replay_key(self) -> str:
        """Return the name under which this proof is known to have been used."""
        return hashlib.sha256(f"{self.thumbprint}\0{self.jti}".encode()).hexdigest()


def read_proof(text: str, *, method: str, urls: Collection[str], now: datetime, access_token: str = "") -> Proof:
    """Return what a proof says.

    Args:
        text: the value of the one DPoP header.
        method: of the request.
        urls: the addresses at which the request may have come in; query and fragment do not count.
        now: the time.
        access_token: that comes with the request; "" at the authorization server.

    Raises:
        BadProof: it is malformed, not signed by its key, of another request, or too old.
    """
    header, claims = _read(text)
    members = _public_key(header)
    if not is_signed_by(text, str(header["alg"]), members):
        raise BadProof("The signature of the DPoP proof is wrong.")
    _check_request(claims, method, urls)
    _check_time(claims, now.timestamp())
    if access_token and claims.get("ath") != hash_of(access_token):
        raise BadProof("The ath of the DPoP proof is not that of the access token.")
    jti, nonce = claims.get("jti"), claims.get("nonce", "")
    if not isinstance(jti, str) or not JTI.fullmatch(jti):
        raise BadProof("The jti of the DPoP proof must have 1 to 128 printable characters.")
    if not isinstance(nonce, str) or len(nonce) > MAX_NONCE_LENGTH:
        raise BadProof("The nonce of the DPoP proof is malformed.")
    return Proof(thumbprint_of(members), jti, nonce)


def hash_of(text: str) -> str:
    """Return BASE64URL(SHA-256(text)): the `ath` of an access token."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def thumbprint_of(members: dict[str, str]) -> str:
    """Return the thumbprint of a public key (RFC 7638)."""
    return hash_of(json.dumps(members, separators=(",", ":"), sort_keys=True))


def is_thumbprint(text: str) -> bool:
    """Tell whether this can be the thumbprint of a key."""
    return THUMBPRINT.fullmatch(text) is not None


def _read(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    if len(text) > MAX_LENGTH or not COMPACT.fullmatch(text):
        raise BadProof("The DPoP header must be one JWT.")
    try:
        header, claims = (read_object(segment) for segment in text.split(".")[:2])
    except Unauthenticated as exc:
        raise BadProof("The DPoP proof is malformed.") from exc
    if header.get("typ") != TYPE or header.get("alg") not in ALGORITHMS or "crit" in header:
        raise BadProof("The DPoP proof must have the typ dpop+jwt and the alg ES256, EdDSA or Ed25519.")
    return header, claims


def _public_key(header: dict[str, Any]) -> dict[str, str]:
    """Return the members of the key that count for its thumbprint."""
    given = header.get("jwk")
    if not isinstance(given, dict) or "d" in given:
        raise BadProof("The jwk of the DPoP proof must be a public key.")
    kind = ("EC", "P-256", "x", "y") if header["alg"] == "ES256" else ("OKP", "Ed25519", "x")
    coordinates = {name: given.get(name) for name in kind[2:]}
    if (given.get("kty"), given.get("crv")) != kind[:2] or not all(map(_is_coordinate, coordinates.values())):
        raise BadProof("The jwk of the DPoP proof is no key of its alg.")
    return {"kty": kind[0], "crv": kind[1], **{name: str(value) for name, value in coordinates.items()}}


def _is_coordinate(value: object) -> bool:
    return isinstance(value, str) and COORDINATE.fullmatch(value) is not None


def _check_request(claims: dict[str, Any], method: str, urls: Collection[str]) -> None:
    if claims.get("htm") != method:
        raise BadProof("The htm of the DPoP proof is not the method of the request.")
    htu = claims.get("htu")
    if not isinstance(htu, str) or _comparable(htu) not in {_comparable(url) for url in urls}:
        raise BadProof("The htu of the DPoP proof is not the address of the request.")


def _comparable(url: str) -> tuple[str, str, int | None, str] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if parts.username is not None:
        return None
    return parts.scheme, parts.hostname or "", port, parts.path or "/"


def _check_time(claims: dict[str, Any], now_s: float) -> None:
    issued_at = claims.get("iat")
    is_number = isinstance(issued_at, int | float) and not isinstance(issued_at, bool)
    # Compared, not subtracted: an integer of 400 digits becomes no float.
    if not is_number or not now_s - LEEWAY_S <= cast("float", issued_at) <= now_s + LEEWAY_S:
        raise BadProof("The iat of the DPoP proof is not now.")
