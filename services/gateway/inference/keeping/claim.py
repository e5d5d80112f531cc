"""An idempotency key as a caller sends it, and what the store may know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.clients.kept.idempotency import Record
from services.gateway.edge.request_context import RequestContext
from services.gateway.inference.keeping.sealing import Seal, digest, name_of

HEADER: Final = "Idempotency-Key"
LONGEST: Final = 255


@dataclass(frozen=True, slots=True)
class Claim:
    """A request that wants the answer under its key: the record's name, and what its answer is encrypted by."""

    record: Record
    seal: Seal


def claim_of(context: RequestContext, body_digest: bytes) -> Claim:
    """Return the claim of a request that has a key.

    The key belongs to the account, and to the application where one asks for it: a key that replaces another one finds
    what that one has begun. The answer is encrypted by key and body together, and the store knows neither.

    Raises:
        InvalidRequest: it is no key.
    """
    key = _checked(context.idempotency_key or b"")
    caller = context.known_caller
    name = name_of("idempotency", caller.grant_id, key)
    fingerprint = digest("request", key, context.route, body_digest).hex()
    seal = Seal(name, digest("answer", caller.grant_id, key, body_digest))
    return Claim(Record(caller.user_id, name, fingerprint, context.request_id), seal)


def _checked(key: bytes) -> bytes:
    if not key:
        raise _wrong("is empty")
    if len(key) > LONGEST:
        raise _wrong(f"has more than {LONGEST} characters")
    if not key.isascii() or not key.decode().isprintable():
        raise _wrong("is there more than once, or has characters that are not printable ASCII")
    return key


def _wrong(problem: str) -> InvalidRequest:
    message = f"The header {HEADER} {problem}: send 1 to {LONGEST} printable ASCII characters, a UUID for example."
    return InvalidRequest(ErrorReason.INVALID_REQUEST, message, param=HEADER)
