"""How a thread's answer is written: as a whole, or as the events of a stream."""

from typing import Any, Final

import msgspec

from emulator.gigachat.threads.state import Message, Thread
from emulator.gigachat.v1_format import FINISH
from emulator.toy_model.answer import Answer

DONE: Final = b"data: [DONE]\n\n"


def generated(answer: Answer) -> dict[str, Any]:
    """Return the message that the model said."""
    said: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.calls:
        name, arguments = answer.calls[0]
        said["function_call"] = {"name": name, "arguments": arguments}
    return said


class Writer:
    """Writes one answer of a thread."""

    def __init__(self, answer: Answer, thread: Thread, message: Message, model: str) -> None:
        """Keep what every event repeats."""
        self._answer, self._message = answer, message
        self._common = {
            "model": model,
            "thread_id": thread.id,
            "message_id": message.id,
            "created": message.created_at,
        }

    def whole(self) -> bytes:
        """Return the body of a plain answer."""
        found = {"object": "thread.message", "message": self._message.body, "usage": self._usage()}
        return msgspec.json.encode({**self._common, **found, "finish_reason": FINISH[self._answer.finish]})

    def events(self) -> tuple[list[bytes], list[int]]:
        """Return the SSE events and the completion tokens that each brings the total to; each tells the usage."""
        frames, marks, start = list[bytes](), list[int](), 0
        if self._answer.calls:
            frames.append(self._event(self._message.body))
            marks.append(self._answer.completion_tokens)
        for end, shown in self._answer.borders():
            frames.append(self._event({"role": "assistant", "content": self._answer.text[start:end]}))
            marks.append(shown + self._answer.reasoning_tokens)
            start = end
        last = self._event({"content": ""}, finish_reason=FINISH[self._answer.finish])
        total = self._answer.completion_tokens
        return [*frames, last, DONE], [*marks, total, total]

    def _event(self, delta: dict[str, Any], **finish: str) -> bytes:
        choice = {"delta": delta, "index": 0, **finish}
        event = {**self._common, "object": "thread.message.chunk", "choices": [choice], "usage": self._usage()}
        return b"data: " + msgspec.json.encode(event) + b"\n\n"

    def _usage(self) -> dict[str, int]:
        answer = self._answer
        prompt = answer.prompt_tokens - answer.cached_tokens
        return {
            "prompt_tokens": prompt,
            "completion_tokens": answer.completion_tokens,
            "total_tokens": prompt + answer.completion_tokens,
            "precached_prompt_tokens": answer.cached_tokens,
        }
