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
        return pb.CallFrames(frames=map(_to_proto, frames))

    def decode(self, message: pb.AnswerFrames) -> Iterable[AnswerFrame]:
        """Return the frames of one message."""
        return _decoded(message)

    def size(self, payload: Message) -> int:
        """Return the encoded bytes."""
        return payload.ByteSize()


def _to_proto(frame: CallFrame) -> pb.CallFrame:
    if isinstance(frame, Call):
        return pb.CallFrame(call_id=frame.call_id, call=_call(frame))
    if isinstance(frame, Cancel):
        return pb.CallFrame(call_id=frame.call_id, cancel=pb.Cancel())
    return pb.CallFrame(call_id=frame.call_id, credit=pb.Credit(size_bytes=frame.size))


def _call(frame: Call) -> pb.Call:
    call = pb.Call(
        request_id=frame.request_id,
        timeout_us=int(frame.timeout_s * 1e6),
        traceparent=frame.traceparent,
        tracestate=frame.tracestate,
        credit_bytes=frame.credit_bytes,
    )
    getattr(call, FIELD_OF_METHOD[frame.method]).CopyFrom(frame.request)
    return call


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
