"""The frames of `RouterService.Converse`, as the router reads and writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from google.protobuf.message import Message
from razvilka.router.v1 import router_pb2 as pb

from servicekit import rpc_errors
from servicekit.multiplex import Answer, AnswerFrame, Call, CallFrame, Cancel, Credit, Failure

# A call's request is in the field of its method. The method is the label that metrics have.
METHOD_OF_FIELD: Final = {"complete": "Complete", "stream": "Stream", "embed": "Embed"}


class RouterAnswerCodec:
    """Requests are `Prompt` (Complete, Stream) and `EmbedRequest`; responses are one message, or a stream's parts."""

    def encode(self, frames: Sequence[AnswerFrame]) -> pb.AnswerFrames:
        """Return one message of all frames."""
        return pb.AnswerFrames(frames=map(_to_proto, frames))

    def decode(self, message: pb.CallFrames) -> Iterable[CallFrame]:
        """Return the frames of one message."""
        return _decoded(message)

    def size(self, payload: Message) -> int:
        """Return the encoded bytes."""
        return payload.ByteSize()


def _to_proto(frame: AnswerFrame) -> pb.AnswerFrame:
    if isinstance(frame, Answer):
        return _answer(frame)
    if isinstance(frame, Failure):
        return pb.AnswerFrame(call_id=frame.call_id, error=pb.CallError(**rpc_errors.fields(frame.error)))
    return pb.AnswerFrame(draining=pb.Draining(last_call_id=frame.last_call_id))


def _answer(frame: Answer) -> pb.AnswerFrame:
    response: Any = frame.response
    if isinstance(response, pb.StreamResponse):
        return pb.AnswerFrame(call_id=frame.call_id, part=response, last=frame.last)
    if isinstance(response, pb.CompleteResponse):
        return pb.AnswerFrame(call_id=frame.call_id, completion=response, last=frame.last)
    return pb.AnswerFrame(call_id=frame.call_id, embeddings=response, last=frame.last)


def _decoded(message: pb.CallFrames) -> Iterator[CallFrame]:
    for frame in message.frames:
        kind = frame.WhichOneof("frame")
        if kind == "call":
            yield _call(frame)
        elif kind == "cancel":
            yield Cancel(frame.call_id)
        elif kind == "credit":
            yield Credit(frame.call_id, frame.credit.size_bytes)


def _call(frame: pb.CallFrame) -> Call:
    call = frame.call
    field = call.WhichOneof("request") or ""
    # A copy: a long call would keep the whole message, with the prompts of all that began with it.
    request = pb.EmbedRequest() if field == "embed" else pb.Prompt()
    if field:
        request.CopyFrom(getattr(call, field))
    return Call(
        frame.call_id,
        METHOD_OF_FIELD.get(field, ""),
        request,
        call.request_id,
        call.traceparent,
        call.tracestate,
        call.timeout_us / 1e6,
        call.credit_bytes,
        request.ByteSize(),
    )
