"""The frames of `RouterService.Converse`, encoded and decoded by the router."""

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
        message = pb.AnswerFrames()
        # In place: a message that is given to another one's constructor is copied, with all that it has.
        for frame in frames:
            _write(frame, message)
        return message

    def decode(self, message: pb.CallFrames) -> Iterable[CallFrame]:
        """Return the frames of one message."""
        return _decoded(message)

    def size(self, payload: Message) -> int:
        """Return the encoded bytes."""
        return payload.ByteSize()


def _write(frame: AnswerFrame, into: pb.AnswerFrames) -> None:
    if isinstance(frame, Answer):
        _write_answer(frame.response, into.frames.add(call_id=frame.call_id, last=frame.last))
    elif isinstance(frame, Failure):
        into.frames.add(call_id=frame.call_id, error=pb.CallError(**rpc_errors.fields(frame.error)))
    else:
        into.frames.add(draining=pb.Draining(last_call_id=frame.last_call_id))


def _write_answer(response: Any, into: pb.AnswerFrame) -> None:
    if isinstance(response, pb.StreamResponse):
        into.part.CopyFrom(response)
    elif isinstance(response, pb.CompleteResponse):
        into.completion.CopyFrom(response)
    elif response is not None:
        into.embeddings.CopyFrom(response)


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
