"""A signing key made once for all tests of a process: a fresh one takes a quarter of a second."""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime

import asyncpg
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from servicekit.trust import jwt
from services.auth.oauth.store.signing_keys import INSERT_SIGNING_KEY
from services.auth.oauth.tokens.key_sealing import KeySealer

KID = "planted"
SIGNS_FROM = datetime(2026, 11, 20, tzinfo=UTC)


@functools.cache
def planted_pem() -> str:
    """Return the private key."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    formats = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private.private_bytes(*formats).decode()


@functools.cache
def planted_key() -> jwt.Key:
    """Return the key that signs."""
    return jwt.private_key(planted_pem(), kid=KID, algorithm="RS256")


@functools.cache
def _sealed(secret: str) -> bytes:
    private = serialization.load_pem_private_key(planted_pem().encode(), password=None)
    formats = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return KeySealer([secret]).seal(KID, private.private_bytes(*formats))


async def plant_signing_key(dsn: str, secret: str) -> None:
    """Store the key as the service would have, under the secret that its settings give."""
    sealed = _sealed(secret)
    member = json.dumps(jwt.public_member(planted_key()))
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(INSERT_SIGNING_KEY, KID, member, sealed, SIGNS_FROM, SIGNS_FROM)
    finally:
        await connection.close()
