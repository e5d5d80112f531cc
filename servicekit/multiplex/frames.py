"""What crosses the RPC, as values; a `Codec` turns them into a contract's messages and back.

Frames are `msgspec.Struct`s: there are a few for each call, and a frozen dataclass takes five times as long to make.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from msgspec import Struct

from servicekit.errors import ServiceError

Outgoing = TypeVar("Outgoing", contravariant=True)
Incoming = TypeVar("Incoming", covariant=True)


class Call(Struct, frozen=True):
    """A call begins. Its number rises with each call of one RPC and is never used again.

    `timeout_s` is what the caller has left; `credit_bytes` how much of a stream may be sent before it takes any;
    `size` what the request is encoded in, bytes.
    """

    call_id: int
    method: str
    request: Any
    request_id: str
    traceparent: str
    tracestate: str
    timeout_s: float
    credit_bytes: int
    size: int


class Cancel(Struct, frozen=True):
    """The caller has left: nothing more is sent for the call."""

    call_id: int


class Credit(Struct, frozen=True):
    """The caller has taken that many bytes of the call's stream: as many more may be sent."""

    call_id: int
    size: int


class Answer(Struct, frozen=True):
    """One response of a call, if any, encoded in `size` bytes; with `last` the call has ended well."""

    call_id: int
    response: Any | None
    last: bool
    size: int


class Failure(Struct, frozen=True):
    """The call has ended with an error."""

    call_id: int
    error: ServiceError


class Draining(Struct, frozen=True):
    """The server takes no call above `last_call_id`: those have not begun and may be made elsewhere."""

    last_call_id: int


CallFrame: TypeAlias = Call | Cancel | Credit
AnswerFrame: TypeAlias = Answer | Failure | Draining


class Codec(Protocol[Outgoing, Incoming]):
    """One side's translation between frames and the messages of a contract."""

    def encode(self, frames: Sequence[Outgoing]) -> Any:
        """Return one message that carries the frames, in order."""
        ...

    def decode(self, message: Any) -> Iterable[Incoming]:
        """Return the frames of one message, in order; a kind that this version does not know is left out.

        A payload must not keep the message alive, which holds those of other calls. An exception ends the RPC, so what
        may be wrong with one call alone is for its handler or caller to find.
        """
        ...

    def size(self, payload: Any) -> int:
        """Return the encoded bytes of one request or response to be sent; `decode` says the same of it."""
        ...


CallerCodec: TypeAlias = Codec[CallFrame, AnswerFrame]
HandlerCodec: TypeAlias = Codec[AnswerFrame, CallFrame]
