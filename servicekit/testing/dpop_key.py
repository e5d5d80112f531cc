"""A client's key for DPoP, and its proofs, right and wrong ones."""

from __future__ import annotations

import base64
import json
import secrets
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from servicekit.trust.dpop import TYPE, hash_of, thumbprint_of


class DpopKey:
    """A key pair: ES256, or Ed25519."""

    def __init__(self, algorithm: str = "ES256") -> None:
        self.algorithm = algorithm
        self._key = generate_private_key(SECP256R1()) if algorithm == "ES256" else Ed25519PrivateKey.generate()
        self.public = _public_members(self._key)
        self.thumbprint = thumbprint_of(self.public)

    def proof(
        self,
        url: str,
        now: datetime,
        *,
        method: str = "POST",
        nonce: object = "",
        access_token: str = "",
        header: dict[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """Return a fresh proof of a request; `header` and `changes` make it another one, None leaves a member out."""
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(12),
            "htm": method,
            "htu": url,
            "iat": int(now.timestamp()),
            "nonce": nonce or None,
            "ath": hash_of(access_token) if access_token else None,
        }
        head = {"typ": TYPE, "alg": self.algorithm, "jwk": self.public} | (header or {})
        given = {name: value for name, value in (claims | changes).items() if value is not None}
        signed = f"{_segment(json.dumps(head).encode())}.{_segment(json.dumps(given).encode())}"
        return f"{signed}.{_segment(_signature(self._key, signed.encode()))}"


def _public_members(key: EllipticCurvePrivateKey | Ed25519PrivateKey) -> dict[str, str]:
    if isinstance(key, Ed25519PrivateKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": _segment(key.public_key().public_bytes_raw())}
    point = key.public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": _coordinate(point.x), "y": _coordinate(point.y)}


def _signature(key: EllipticCurvePrivateKey | Ed25519PrivateKey, signed: bytes) -> bytes:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(signed)
    r, s = decode_dss_signature(key.sign(signed, ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _coordinate(value: int) -> str:
    return _segment(value.to_bytes(32, "big"))


def _segment(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
