"""An answer as a retry gets it again, and who keeps it while it is made."""

from __future__ import annotations

from typing import Final

import msgspec

from servicekit.errors import Conflict, ErrorReason, ServiceError
from services.gateway.clients.kept.idempotency import IdempotencyStore
from services.gateway.edge.problems import Headers, code_of, status_of
from services.gateway.edge.request_context import RequestContext
from services.gateway.inference.keeping.claim import Claim
from services.gateway.inference.keeping.sealing import UNREADABLE, grown, shrunk
from services.gateway.metering.usage_record import Outcome, Status

# Of the moment when they were sent, or of the request that they answered: nothing that a later answer may repeat, which
# has an id and a nonce of its own.
_MOMENTARY: Final = (b"x-ratelimit-", b"ratelimit", b"retry-after", b"request-id", b"dpop-nonce")
TOO_LARGE: Final = b""


class KeptAnswer(msgspec.Struct, frozen=True, array_like=True):
    """Status, headers of its own, and every byte of the body; of a stream without the comments that kept it alive."""

    status: int
    is_stream: bool
    headers: list[tuple[bytes, bytes]]
    body: bytes


_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(KeptAnswer).decode


class Keeper:
    """Gathers one answer and keeps it under its key. `is_kept`: it is there for every retry."""

    def __init__(self, context: RequestContext, claim: Claim, store: IdempotencyStore, *, most_bytes: int) -> None:
        self._context = context
        self._claim = claim
        self._store = store
        self._most_bytes = most_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self.is_kept = False

    def part(self, frames: bytes) -> None:
        """Note what was written of a stream."""
        self._size += len(frames)
        if self._size <= self._most_bytes:
            self._parts.append(frames)
        else:
            self._parts.clear()

    async def keep(self, status: int, last: bytes, bill: bytes) -> None:
        """Keep the answer with its bill; `last` is its body, or what is still to be written of a stream.

        One that is too large is kept as such: nobody can have it again, and nobody pays for it twice.

        Raises:
            Conflict: a retry has taken the key over.
            Unavailable: nobody can tell.
        """
        sealed = await self._sealed(status, last)
        if not await self._store.keep(self._claim.record, sealed, bill):
            raise taken_over()
        self.is_kept = True

    async def _sealed(self, status: int, last: bytes) -> bytes:
        is_stream = self._context.stream and status == 200
        size = len(last) + self._size * is_stream
        if size > self._most_bytes:
            return TOO_LARGE
        body = b"".join([*self._parts, last]) if is_stream else last
        packed = _pack(KeptAnswer(status, is_stream, lasting(self._context.headers), body))
        return self._claim.seal.close(await shrunk(packed))


def lasting(headers: Headers) -> Headers:
    """Return the headers that are as true of a replay."""
    return [header for header in headers if not header[0].startswith(_MOMENTARY)]


async def opened(claim: Claim, sealed: bytes) -> KeptAnswer | None:
    """Return a kept answer; None: it was too large, or cannot be read."""
    packed = claim.seal.open(sealed) if sealed else None
    if packed is None:
        return None
    try:
        return _unpack(await grown(packed))
    except UNREADABLE:
        return None


def taken_over() -> Conflict:
    """Return the refusal of an answer that came after its key had passed to a retry."""
    return Conflict(
        ErrorReason.IDEMPOTENCY_IN_PROGRESS,
        "Another request with this Idempotency-Key has taken over; nothing of this one is billed. Try again.",
        retry_after_s=1.0,
    )


def unkept(outcome: Outcome, error: ServiceError, begun_with: int) -> Outcome:
    """Return what becomes of an answer that could not be kept: `error` is told in its place, if it was none itself.

    `begun_with`: the status that the caller has already; 0: none.
    """
    if outcome.status is Status.FAILED:
        return outcome
    status = begun_with or status_of(error)
    return msgspec.structs.replace(outcome, status=Status.FAILED, error_code=code_of(error), http_status=status)
