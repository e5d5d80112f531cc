"""Signs, for the other services, in whose name the gateway calls them: only auth can verify the caller's credential."""

from __future__ import annotations

from typing import Final

from razvilka.auth.v1 import user_context_pb2 as pb
from razvilka.auth.v1 import user_context_pb2_grpc as pb_grpc

from servicekit.trust.user_context import LIVES, ContextSigner, UserContext
from services.auth.holders import Holders
from services.auth.shared.rpc_values import Context

# Who is called in a user's name, and cannot verify a credential.
AUDIENCES: Final = ("router", "usage")
# The last quarter of a context's life is for calls under way, and for clocks that differ.
USE_FOR_S: Final = int(LIVES.total_seconds() * 3 / 4)


class UserContextServicer(pb_grpc.UserContextServiceServicer):
    """Signs contexts. `signer`: None without TLS, when nobody could check one and nobody asks for it."""

    def __init__(self, holders: Holders, signer: ContextSigner | None) -> None:
        self._holders = holders
        self._signer = signer

    async def SignUserContext(self, request: pb.SignUserContextRequest, context: Context) -> pb.SignUserContextResponse:
        """Sign whose the credential is that the call shows."""
        holder = await self._holders.find(context)
        user = UserContext(holder.user_id, holder.scopes)
        return pb.SignUserContextResponse(
            context=self._signer.sign(user) if self._signer is not None else b"", use_for_s=USE_FOR_S
        )
