"""PS256 verification with the salt length that the provider insists on."""

import base64
import binascii
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key


def read_part(part: str) -> dict[str, Any]:
    """Return the decoded header or payload.

    Raises:
        ValueError: not base64url of a JSON object.
    """
    try:
        value = msgspec.json.decode(_unpad(part))
    except (binascii.Error, msgspec.DecodeError) as error:
        raise ValueError("JWT is malformed") from error
    if not isinstance(value, dict):
        raise ValueError("JWT is malformed")
    return value


def split(token: str) -> tuple[str, str, str]:
    """Return header, payload and signature as they stand in the token.

    Raises:
        ValueError: not three parts.
    """
    parts = token.split(".")
    if len(parts) != 3:
        raise ValueError("JWT is malformed")
    return parts[0], parts[1], parts[2]


def verify_ps256(token: str, public_key_pem: str) -> None:
    """Check the signature; the PSS salt must be as long as the hash, 32 bytes.

    Raises:
        ValueError: the signature is wrong.
    """
    header, payload, signature = split(token)
    key = load_pem_public_key(public_key_pem.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("key is not RSA")
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    try:
        key.verify(_unpad(signature), f"{header}.{payload}".encode(), pss, hashes.SHA256())
    except (InvalidSignature, binascii.Error) as error:
        raise ValueError("JWT signature is wrong") from error


def _unpad(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
