"""What auth signs about a caller, for the services that could not verify what the caller showed."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import grpc
from razvilka.auth.v1 import user_context_pb2 as pb
from razvilka.auth.v1 import user_context_pb2_grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from servicekit.clock import Clock

MAX_ENTRIES: Final = 1_000

# What is shown of a call's user; b"" of nobody.
InWhoseName = Callable[[CallContext], Awaitable[bytes]]


async def of_nobody(call: CallContext) -> bytes:
    """Show nothing: for what is asked in no user's name."""
    return b""


@dataclass(frozen=True, slots=True)
class UserCalls:
    """Makes calls for the user of each: `in_whose_name` tells what is shown of the user."""

    in_whose_name: InWhoseName
    deadline_s: float

    async def __call__(self, method: Any, request: Any, call: CallContext, deadline_s: float | None = None) -> Any:
        """Return the answer of a unary RPC.

        Raises:
            ServiceError: what the service raised, or auth when it was asked for the user.
        """
        user_context = await self.in_whose_name(call)
        return await rpc_client.unary(
            method, request, deadline_s=deadline_s or self.deadline_s, call=call, user_context=user_context
        )


class UserContextClient:
    """Gets contexts signed, and shows each again for as long as auth said: whoever polls costs one question a while.

    What is revoked meanwhile never gets here: the edge verifies each request first.
    """

    def __init__(self, channel: grpc.aio.Channel, clock: Clock, *, deadline_s: float) -> None:
        self._stub = user_context_pb2_grpc.UserContextServiceStub(channel)
        self._clock = clock
        self._deadline_s = deadline_s
        # Per process and never written down: a dump of what is remembered does not help to guess credentials.
        self._secret = secrets.token_bytes(32)
        self._signed: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()

    async def signed(self, call: CallContext) -> bytes:
        """Return the context of whoever was let in.

        Raises:
            Unauthenticated: the credential does not count any more.
            Unavailable: auth cannot be asked.
        """
        name = blake2b(call.credential, key=self._secret, digest_size=16).digest()
        until, context = self._signed.get(name, (0.0, b""))
        if self._clock.monotonic() < until:
            return context
        answer = await rpc_client.unary(
            self._stub.SignUserContext,
            pb.SignUserContextRequest(),
            deadline_s=self._deadline_s,
            call=call,
            in_their_name=True,
        )
        self._remember(name, answer.context, answer.use_for_s)
        return bytes(answer.context)

    def _remember(self, name: bytes, context: bytes, use_for_s: int) -> None:
        self._signed.pop(name, None)
        if len(self._signed) >= MAX_ENTRIES:
            self._signed.popitem(last=False)
        self._signed[name] = (self._clock.monotonic() + use_for_s, context)
