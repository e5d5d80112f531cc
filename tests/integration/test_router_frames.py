"""Both halves of `Converse` agree: what one side writes, the other reads."""

from __future__ import annotations

from typing import Any

import pytest
from razvilka.router.v1 import router_pb2 as pb

from servicekit.errors import KINDS, ErrorReason, Internal, ServiceError
from servicekit.multiplex import Answer, AnswerFrame, Call, CallFrame, Cancel, Credit, Draining, Failure
from services.gateway.clients.router.frames import RouterCallCodec
from services.router.frames import RouterAnswerCodec

CALLER, HANDLER = RouterCallCodec(), RouterAnswerCodec()
PROMPT = pb.Prompt(model="yandexgpt:latest", messages=[pb.Message(role=pb.ROLE_USER, content="Привет")])
PART = pb.StreamResponse(deltas=[pb.Delta(content="При")])


def call(method: str, request: Any, credit: int = 0) -> Call:
    return Call(7, method, request, "0197", "00-trace", "vendor=1", 1.25, credit, CALLER.size(request))


CALLS: list[CallFrame] = [
    call("Complete", PROMPT),
    call("Stream", PROMPT, 65536),
    call("Embed", pb.EmbedRequest(model="embeddings", input=["a", "b"])),
    Cancel(8),
    Credit(9, 32768),
]


def test_every_call_frame_crosses_whole() -> None:
    """In order, in one message, with the method that metrics name."""
    wire = CALLER.encode(CALLS).SerializeToString()

    assert list(HANDLER.decode(pb.CallFrames.FromString(wire))) == CALLS


def answer(response: Any, *, last: bool) -> Answer:
    return Answer(7, response, last, HANDLER.size(response))


ANSWERS: list[AnswerFrame] = [
    answer(PART, last=False),
    answer(pb.StreamResponse(), last=False),
    answer(pb.CompleteResponse(choices=[pb.Choice(content="Привет")]), last=True),
    answer(pb.EmbedResponse(embeddings=[pb.Embedding(values=[0.5])]), last=True),
    Answer(7, None, True, 0),
    Draining(41),
]


def test_every_answer_frame_crosses_whole() -> None:
    """In order, in one message; an empty part is a part."""
    wire = HANDLER.encode(ANSWERS).SerializeToString()

    assert list(CALLER.decode(pb.AnswerFrames.FromString(wire))) == ANSWERS


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.kind)
@pytest.mark.parametrize("full", [True, False])
def test_every_kind_of_error_crosses_whole(kind: type[ServiceError], full: bool) -> None:
    """With and without what is optional."""
    more: dict[str, Any] = {"param": "n", "retry_after_s": 1.5, "details": {"limit": "20"}} if full else {}
    raised = Internal("m") if kind is Internal else kind(ErrorReason.QUOTA_EXCEEDED, "сообщение", **more)
    wire = HANDLER.encode([Failure(7, raised)]).SerializeToString()

    (frame,) = CALLER.decode(pb.AnswerFrames.FromString(wire))

    assert isinstance(frame, Failure)
    assert type(frame.error) is kind
    seen = frame.error
    assert (seen.reason, seen.message, seen.param) == (raised.reason, raised.message, raised.param)
    assert (seen.retry_after_s, seen.details) == (raised.retry_after_s, raised.details)


def test_frames_of_a_later_version_are_left_out() -> None:
    """A frame with no field that we know does not disturb its neighbours."""
    calls = pb.CallFrames(frames=[pb.CallFrame(call_id=1), pb.CallFrame(call_id=2, cancel=pb.Cancel())])
    answers = pb.AnswerFrames(frames=[pb.AnswerFrame(call_id=1), pb.AnswerFrame(call_id=2, last=True)])

    assert list(HANDLER.decode(calls)) == [Cancel(2)]
    assert list(CALLER.decode(answers)) == [Answer(2, None, True, 0)]


def test_a_call_with_an_unknown_request_is_one_that_no_handler_has() -> None:
    """It fails by itself; the RPC goes on."""
    (frame,) = HANDLER.decode(pb.CallFrames(frames=[pb.CallFrame(call_id=1, call=pb.Call(request_id="0197"))]))

    assert isinstance(frame, Call)
    assert frame.method == ""
