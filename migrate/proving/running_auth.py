"""Who verifies a known key: the running auth, by the RPC that gateways call, or else auth's store."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from migrate.moving.local_suite import local_suite
from migrate.moving.target import AUTH, Target
from migrate.proving.verifier import TARGET, TLS_DIR, Holder, Verifier

DEADLINE_S: Final = 10.0


class StoredKeys:
    """Auth's store, which knows the hash of 1.0 only: for that of 1.1 the pepper is needed, which auth alone has."""

    knows_used = False

    def __init__(self, target: Target, now: datetime) -> None:
        self.name = f"auth's store: {TARGET} is not set, so the running auth was not asked"
        self._keys = target.keys
        self._now = now

    async def holder(self, secret: str) -> Holder | None:
        """Return who holds a key; None: nobody, it is revoked, switched off or expired, or hashed anew."""
        held = await self._keys.find([hashlib.sha256(secret.encode()).hexdigest()])
        if held is None or held.key.is_revoked() or held.key.is_disabled or held.key.is_expired(self._now):
            return None
        return held.key.user_id, held.key.id


@asynccontextmanager
async def open_verifier(
    target: Target, now: datetime, environment: Mapping[str, str] = os.environ
) -> AsyncIterator[Verifier]:
    """Yield the running auth where its address is told or that of the local suite, else its store.

    Raises:
        ServerError: the running auth's certificate files cannot be used.
    """
    place = _place(environment)
    if place is None:
        yield StoredKeys(target, now)
        return
    # Whoever has no known keys shall not pay for gRPC and what the gateway's client loads.
    from migrate.proving.asked_auth import open_auth_client

    async with open_auth_client(*place, deadline_s=DEADLINE_S) as verifier:
        yield verifier


def _place(environment: Mapping[str, str]) -> tuple[str, Path | None] | None:
    """Return host:port, and the folder of the operator's certificate, None where calls are plaintext."""
    if address := environment.get(TARGET):
        folder = environment.get(TLS_DIR)
        return address, Path(folder) if folder else None
    if environment.get(AUTH):
        return None
    address, folder = local_suite(environment).auth
    return address, Path(folder)
