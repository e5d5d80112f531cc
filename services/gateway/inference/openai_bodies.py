"""Answer bodies in OpenAI's shapes: written by hand where it is hot, byte for byte what its clients expect."""

from __future__ import annotations

import struct
from base64 import b64encode
from typing import Any

import msgspec

from services.gateway.clients.completion import Choice, Completion, Embeddings, ToolCallPart
from services.gateway.edge.money import roubles
from services.gateway.metering.usage_record import TokenUsage

encode = msgspec.json.encode


def usage_body(usage: TokenUsage, cost_micro_rub: int) -> dict[str, Any]:
    """Return OpenAI's usage object, and beside it what the answer cost."""
    return {
        "prompt_tokens": usage.tokens_input,
        "completion_tokens": usage.tokens_output,
        "total_tokens": usage.tokens_input + usage.tokens_output,
        "prompt_tokens_details": {"cached_tokens": usage.tokens_cached},
        "completion_tokens_details": {"reasoning_tokens": usage.tokens_reasoning},
        "cost_rub": roubles(cost_micro_rub),
    }


class AnswerHead(msgspec.Struct, frozen=True):
    """What every object of one answer begins with.

    Attributes:
        id: of the answer; GET /v1/generation?id= takes it.
        created: Unix seconds.
        model: as the caller wrote it.
    """

    id: str
    created: int
    model: str


def answer_id(prefix: str, request_id: str) -> str:
    """Return the id of an answer: GET /v1/generation?id= takes it."""
    return prefix + request_id.replace("-", "")


def chat_completion(
    completion: Completion, usage: TokenUsage, cost_micro_rub: int, *, head: AnswerHead, legacy: bool
) -> bytes:
    """Return the body of a whole chat completion.

    Args:
        completion: what the router said.
        usage: what it used.
        cost_micro_rub: what it cost.
        head: of the answer.
        legacy: the caller speaks `functions`, so a call comes back as `function_call`.
    """
    return encode(
        {
            "id": head.id,
            "object": "chat.completion",
            "created": head.created,
            "model": head.model,
            "choices": [_chat_choice(choice, legacy) for choice in completion.choices],
            "usage": usage_body(usage, cost_micro_rub),
            "system_fingerprint": completion.end.system_fingerprint or None,
        }
    )


def _chat_choice(choice: Choice, legacy: bool) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": choice.content, "refusal": None}
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    finish = choice.finish_reason or "stop"
    if choice.tool_calls:
        message["content"] = choice.content or None
        if legacy:
            call = choice.tool_calls[0]
            message["function_call"] = {"name": call.name, "arguments": call.arguments}
            finish = legacy_finish(finish)
        else:
            message["tool_calls"] = [whole_tool_call(call) for call in choice.tool_calls]
    return {"index": choice.index, "message": message, "logprobs": None, "finish_reason": finish}


def legacy_finish(finish: str) -> str:
    """Return the finish reason in the old `functions` dialect."""
    return "function_call" if finish == "tool_calls" else finish


def whole_tool_call(call: ToolCallPart) -> dict[str, Any]:
    """Return a complete tool call."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def text_completion(
    completion: Completion, usage: TokenUsage, cost_micro_rub: int, *, head: AnswerHead, echo: list[str]
) -> bytes:
    """Return the body of a whole answer in the older form; `echo` has the text before each choice, or nothing."""
    return encode(
        {
            "id": head.id,
            "object": "text_completion",
            "created": head.created,
            "model": head.model,
            "choices": [
                {
                    "text": (echo[choice.index] if echo else "") + (choice.content or ""),
                    "index": choice.index,
                    "logprobs": None,
                    "finish_reason": choice.finish_reason or "stop",
                }
                for choice in completion.choices
            ],
            "usage": usage_body(usage, cost_micro_rub),
            "system_fingerprint": completion.end.system_fingerprint or None,
        }
    )


def embedding_list(
    embeddings: Embeddings, usage: TokenUsage, cost_micro_rub: int, *, model: str, base64: bool
) -> bytes:
    """Return the body of an embeddings answer.

    Args:
        embeddings: what the router said.
        usage: what it used.
        cost_micro_rub: what it cost.
        model: as the caller wrote it.
        base64: pack each vector as little-endian float32, as the official client asks.
    """
    return encode(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": _packed(vector) if base64 else vector}
                for index, vector in enumerate(embeddings.vectors)
            ],
            "model": model,
            "usage": {
                "prompt_tokens": usage.tokens_input,
                "total_tokens": usage.tokens_input,
                "cost_rub": roubles(cost_micro_rub),
            },
        }
    )


def _packed(vector: list[float]) -> str:
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
