"""Answers of servers that speak the OpenAI dialect, as they come: whole and streamed they say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from servicekit.clock import SystemClock
from services.router.domain.completion import Answer, Batch, Prompt
from services.router.providers.openai_dialect.quirks import Quirks
from services.router.providers.openai_dialect.replies import OpenAIReplies
from services.router.routing.answers import collected
from services.router.tests.adapters import IDS, ask

REPLIES = OpenAIReplies(IDS, SystemClock(), Quirks())
PLAIN = ask()


def whole(message: dict[str, Any], finish: str | None = "stop", **others: Any) -> Answer:
    body = {"choices": [{"index": 0, "message": message, "finish_reason": finish}], **others}
    return REPLIES.whole_answer(json.dumps(body).encode(), PLAIN)[0]


def piece(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


async def streamed(*events: dict[str, Any], prompt: Prompt = PLAIN) -> Answer:
    """Return what a stream of these events and [DONE] says as a whole."""

    async def batches() -> Any:
        stream = REPLIES.answer_stream(prompt)
        for data in [*(json.dumps(event).encode() for event in events), b"[DONE]"]:
            batch: Batch | None = stream.feed([data])
            if batch is not None:
                yield batch

    return await collected(batches())


@pytest.mark.parametrize(
    "names", [("reasoning",), ("reasoning_content",), ("reasoning", "reasoning_content")], ids=" and ".join
)
async def test_thoughts_are_heard_under_either_name_and_once(names: tuple[str, ...]) -> None:
    """vLLM, Ollama, Groq and OpenRouter say `reasoning`: a stream that thought long was given up as silent."""
    thought = dict.fromkeys(names, "Так.")

    one = whole({"role": "assistant", "content": "Да", **thought}).choices[0]
    other = (await streamed(piece(thought), piece({"content": "Да"}, "stop"))).choices[0]

    assert (one.content, one.reasoning_content) == (other.content, other.reasoning_content) == ("Да", "Так.")
