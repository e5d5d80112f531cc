"""The frames of `RouterService.Converse`, as the caller writes and reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar

from google.protobuf.message import Message
from razvilka.router.v1 import router_pb2 as pb

from servicekit import rpc_errors
from servicekit.errors import ServiceError
from servicekit.multiplex import Answer, AnswerFrame, Call, CallFrame, Cancel, Draining, Failure

R = TypeVar("R", bound=Message)

# The method of a call is the field that its request is in.
FIELD_OF_METHOD: Final = {"Complete": "complete", "Stream": "stream", "Embed": "embed"}


class RouterCallCodec:
    """Requests are `Prompt` (Complete, Stream) and `EmbedRequest`; responses are one message, or a stream's parts."""

    def encode(self, frames: Sequence[CallFrame]) -> pb.CallFrames:
        """Return one message of all frames."""
        message = pb.CallFrames()
        # In place: a message that is given to another one's constructor is copied, with all that it has.
        for frame in frames:
            _write(frame, message.frames.add(call_id=frame.call_id))
        return message

    def decode(self, message: pb.AnswerFrames) -> Iterable[AnswerFrame]:
        """Return the frames of one message."""
        return _decoded(message)

    def size(self, payload: Message) -> int:
        """Return the encoded bytes."""
        return payload.ByteSize()


def _write(frame: CallFrame, into: pb.CallFrame) -> None:
    if isinstance(frame, Call):
        _write_call(frame, into.call)
    elif isinstance(frame, Cancel):
        into.cancel.SetInParent()
    else:
        into.credit.size_bytes = frame.size


def _write_call(frame: Call, into: pb.Call) -> None:
    into.request_id = frame.request_id
    into.timeout_us = int(frame.timeout_s * 1e6)
    into.traceparent = frame.traceparent
    into.tracestate = frame.tracestate
    into.credit_bytes = frame.credit_bytes
    getattr(into, FIELD_OF_METHOD[frame.method]).CopyFrom(frame.request)


def _decoded(message: pb.AnswerFrames) -> Iterator[AnswerFrame]:
    for frame in message.frames:
        kind = frame.WhichOneof("frame")
        if kind == "part":
            yield _answer(frame, frame.part, pb.StreamResponse())
        elif kind == "completion":
            yield _answer(frame, frame.completion, pb.CompleteResponse())
        elif kind == "embeddings":
            yield _answer(frame, frame.embeddings, pb.EmbedResponse())
        elif kind == "error":
            yield Failure(frame.call_id, _error(frame.error))
        elif kind == "draining":
            yield Draining(frame.draining.last_call_id)
        elif frame.last:
            yield Answer(frame.call_id, None, True, 0)


def _answer(frame: pb.AnswerFrame, response: R, copy: R) -> Answer:
    # A copy: a part that waits for its reader would keep the whole message, with the parts of all other calls.
    copy.CopyFrom(response)
    return Answer(frame.call_id, copy, frame.last, copy.ByteSize())


def _error(message: pb.CallError) -> ServiceError:
    return rpc_errors.from_fields(
        {
            "kind": message.kind,
            "reason": message.reason,
            "message": message.message,
            "param": message.param if message.HasField("param") else None,
            "retry_after_s": message.retry_after_s if message.HasField("retry_after_s") else None,
            "details": dict(message.details),
        }
    )
