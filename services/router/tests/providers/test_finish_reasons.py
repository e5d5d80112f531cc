"""How an answer with tool calls ended."""

from __future__ import annotations

import json

import pytest

from servicekit.clock import SystemClock
from services.router.domain.completion import FinishReason
from services.router.providers.gigachat.replies import GigaChatReplies
from services.router.providers.yandexgpt.replies import NativeReplies
from services.router.tests.adapters import IDS, ask

REPLIES = NativeReplies(IDS, 0, SystemClock())


@pytest.mark.parametrize(
    ("status", "finish"),
    [
        ("ALTERNATIVE_STATUS_TOOL_CALLS", FinishReason.TOOL_CALLS),
        ("ALTERNATIVE_STATUS_FINAL", FinishReason.TOOL_CALLS),
        ("ALTERNATIVE_STATUS_TRUNCATED_FINAL", FinishReason.LENGTH),
        ("ALTERNATIVE_STATUS_CONTENT_FILTER", FinishReason.CONTENT_FILTER),
    ],
)
def test_calls_that_were_cut_off_or_filtered_say_so(status: str, finish: FinishReason) -> None:
    """Whole and streamed: a client must not run half a list of calls as if it were all."""
    calls = {"toolCalls": [{"functionCall": {"name": "f", "arguments": {}}}]}
    alternative = {"message": {"role": "assistant", "toolCallList": calls}, "status": status}
    line = json.dumps({"result": {"alternatives": [alternative]}}).encode()

    answer, _ = REPLIES.whole_answer(line, ask())
    batch = REPLIES.answer_stream(ask()).feed([line])

    assert batch is not None
    assert (answer.choices[0].finish_reason, batch.deltas[-1].finish_reason) == (finish, finish)
    assert len(answer.choices[0].tool_calls) == len(batch.deltas[-1].tool_calls) == 1


def test_an_end_with_calls_has_some() -> None:
    """GigaChat says `function_call` of functions of its own, too: a client that runs calls would look for one."""
    gigachat = GigaChatReplies(IDS, SystemClock())
    said = {"role": "assistant", "content": "Вот рисунок."}
    whole = json.dumps({"choices": [{"message": said, "index": 0, "finish_reason": "function_call"}]}).encode()
    event = json.dumps({"choices": [{"delta": said, "index": 0, "finish_reason": "function_call"}]}).encode()
    alternative = {"message": {"role": "assistant", "text": "Да."}, "status": "ALTERNATIVE_STATUS_TOOL_CALLS"}
    line = json.dumps({"result": {"alternatives": [alternative]}}).encode()

    for replies, body, frame in ((gigachat, whole, event), (REPLIES, line, line)):
        answer, _ = replies.whole_answer(body, ask())
        batch = replies.answer_stream(ask()).feed([frame])
        assert batch is not None
        ends = answer.choices[0].finish_reason, batch.deltas[-1].finish_reason
        assert ends == (FinishReason.STOP, FinishReason.STOP)
