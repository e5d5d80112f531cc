"""AskedAuth: the running auth, asked as gateways ask it, with the operator's certificate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from migrate.proving.verifier import Holder, unreachable
from servicekit.call import current_call
from servicekit.errors import ServiceError, Unauthenticated
from servicekit.rpc_client import Peer, open_channel
from servicekit.trust.certificate_files import BadCertificate
from services.gateway.clients.auth import AuthClient


class AskedAuth:
    """Verifies keys by `VerifyApiKey`; a key that verifies is used, and so hashed anew."""

    knows_used = True

    def __init__(self, client: AuthClient, address: str) -> None:
        self.name = f"the running auth at {address}"
        self._client = client
        self._address = address

    async def holder(self, secret: str) -> Holder | None:
        """Return who holds a key; None: nobody, it is revoked or expired.

        Raises:
            ServerError: it cannot be asked.
        """
        try:
            caller = await self._client.verify_api_key(secret, current_call())
        except Unauthenticated:
            return None
        except ServiceError as exc:
            raise unreachable(self._address, exc.message) from exc
        return caller.user_id, caller.key_id


@asynccontextmanager
async def open_auth_client(address: str, tls_dir: Path | None, *, deadline_s: float) -> AsyncIterator[AskedAuth]:
    """Yield the auth at host:port.

    Raises:
        ServerError: the certificate files cannot be used.
    """
    peer = None if tls_dir is None else Peer("auth", tls_dir)
    try:
        async with open_channel(address, peer) as channel:
            yield AskedAuth(AuthClient(channel, deadline_s=deadline_s), address)
    except BadCertificate as exc:
        raise unreachable(address, exc) from exc
