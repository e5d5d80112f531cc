"""The least that crosses the shared RPC: bodies as bytes, in the real messages of `RouterService.Converse`.

A request is in the one field of a prompt that takes bytes. An answer has none: its text is the bytes as Latin-1, which
carries any of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from razvilka.router.v1 import router_pb2 as pb

from servicekit import rpc_errors
from servicekit.errors import Internal
from servicekit.multiplex import Answer, AnswerFrame, Call, CallFrame, Cancel, Credit, Draining, Failure

FIELD_OF_METHOD: Final = {"Complete": "complete", "Stream": "stream"}
METHOD_OF_FIELD: Final = {field: method for method, field in FIELD_OF_METHOD.items()}
ANY_BYTES: Final = "latin-1"


class CallCodec:
    """The edge's side."""

    def encode(self, frames: Sequence[CallFrame]) -> pb.CallFrames:
        """Return one message of all frames."""
        message = pb.CallFrames()
        for frame in frames:
            into = message.frames.add(call_id=frame.call_id)
            if isinstance(frame, Call):
                _write_call(frame, into.call)
            elif isinstance(frame, Cancel):
                into.cancel.SetInParent()
            else:
                into.credit.size_bytes = frame.size
        return message

    def decode(self, message: pb.AnswerFrames) -> Iterator[AnswerFrame]:
        """Return the frames of one message."""
        for frame in message.frames:
            kind = frame.WhichOneof("frame")
            if kind == "part":
                yield _answer(frame, frame.part.deltas[0].content)
            elif kind == "completion":
                yield _answer(frame, frame.completion.choices[0].content)
            elif kind == "error":
                yield Failure(frame.call_id, Internal())
            elif kind == "draining":
                yield Draining(frame.draining.last_call_id)
            elif frame.last:
                yield Answer(frame.call_id, None, True, 0)

    def size(self, payload: bytes) -> int:
        """Return its length."""
        return len(payload)


class AnswerCodec:
    """The relay's side."""

    def encode(self, frames: Sequence[AnswerFrame]) -> pb.AnswerFrames:
        """Return one message of all frames."""
        message = pb.AnswerFrames()
        for frame in frames:
            if isinstance(frame, Draining):
                message.frames.add(draining=pb.Draining(last_call_id=frame.last_call_id))
            elif isinstance(frame, Failure):
                message.frames.add(call_id=frame.call_id, error=pb.CallError(**rpc_errors.fields(frame.error)))
            else:
                _write_answer(frame, message.frames.add(call_id=frame.call_id, last=frame.last))
        return message

    def decode(self, message: pb.CallFrames) -> Iterator[CallFrame]:
        """Return the frames of one message."""
        for frame in message.frames:
            kind = frame.WhichOneof("frame")
            if kind == "call":
                yield _call(frame.call_id, frame.call)
            elif kind == "cancel":
                yield Cancel(frame.call_id)
            elif kind == "credit":
                yield Credit(frame.call_id, frame.credit.size_bytes)

    def size(self, payload: bytes) -> int:
        """Return its length."""
        return len(payload)


def _write_call(frame: Call, into: pb.Call) -> None:
    into.request_id = frame.request_id
    into.timeout_us = int(frame.timeout_s * 1e6)
    into.traceparent = frame.traceparent
    into.tracestate = frame.tracestate
    into.credit_bytes = frame.credit_bytes
    prompt = into.complete if frame.method == "Complete" else into.stream
    prompt.response_format.schema_json = frame.request


def _call(call_id: int, call: pb.Call) -> Call:
    field = call.WhichOneof("request")
    prompt = call.complete if field == "complete" else call.stream
    body = prompt.response_format.schema_json
    return Call(
        call_id,
        METHOD_OF_FIELD.get(field or "", ""),
        body,
        call.request_id,
        call.traceparent,
        call.tracestate,
        call.timeout_us / 1e6,
        call.credit_bytes,
        len(body),
    )


def _write_answer(frame: Answer, into: pb.AnswerFrame) -> None:
    if frame.response is None:
        return
    text = frame.response.decode(ANY_BYTES)
    if frame.last:
        into.completion.choices.add(content=text)
    else:
        into.part.deltas.add(content=text)


def _answer(frame: pb.AnswerFrame, text: str) -> Answer:
    body = text.encode(ANY_BYTES)
    return Answer(frame.call_id, body, frame.last, len(body))
