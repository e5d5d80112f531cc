"""Answer bodies in the shapes of the Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from services.gateway.clients.completion import Choice, Completion, ToolCallPart
from services.gateway.edge.money import roubles
from services.gateway.inference.openai_bodies import AnswerHead, encode
from services.gateway.metering.usage_record import TokenUsage

# OpenAI's finish reason -> Anthropic's stop reason. Which stop sequence ended an answer no provider says.
STOP_REASONS: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


def stop_reason(finish_reason: str) -> str:
    """Return why the model stopped, in Anthropic's words."""
    return STOP_REASONS.get(finish_reason, "end_turn")


def message_usage(usage: TokenUsage, cost_micro_rub: int) -> dict[str, Any]:
    """Return the usage object: its input does not include what was read from a cache. Beside it: the cost."""
    return {
        "input_tokens": usage.tokens_input - usage.tokens_cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.tokens_cached,
        "output_tokens": usage.tokens_output,
        "output_tokens_details": {"thinking_tokens": usage.tokens_reasoning},
        "cost_rub": roubles(cost_micro_rub),
    }


def message_head(head: AnswerHead) -> dict[str, Any]:
    """Return what a message says of itself before it has any content."""
    return {
        "id": head.id,
        "type": "message",
        "role": "assistant",
        "model": head.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def message(
    completion: Completion, usage: TokenUsage, cost_micro_rub: int, *, head: AnswerHead, names: Mapping[str, str]
) -> bytes:
    """Return the body of a whole message; `names` are the caller's of functions, by those in the chat."""
    choice = completion.choices[0]
    return encode(
        {
            **message_head(head),
            "content": _blocks(choice, names),
            "stop_reason": stop_reason(choice.finish_reason),
            "usage": message_usage(usage, cost_micro_rub),
        }
    )


def _blocks(choice: Choice, names: Mapping[str, str]) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if choice.reasoning:
        blocks.append({"type": "thinking", "thinking": choice.reasoning, "signature": ""})
    if choice.content:
        blocks.append({"type": "text", "text": choice.content})
    return [*blocks, *(_call(call, names) for call in choice.tool_calls)]


def _call(call: ToolCallPart, names: Mapping[str, str]) -> dict[str, Any]:
    name = names.get(call.name, call.name)
    return {"type": "tool_use", "id": call.id, "name": name, "input": call_input(call.arguments)}


# What JSON may have around a value.
BLANKS: Final = " \t\r\n"


def call_input(arguments: str) -> dict[str, Any]:
    """Return the arguments of a call; those that are no JSON object stand under a name, for nothing is lost."""
    try:
        decoded = msgspec.json.decode(arguments if arguments.strip(BLANKS) else "{}")
    except (msgspec.DecodeError, RecursionError):
        decoded = arguments
    return decoded if isinstance(decoded, dict) else {"arguments": decoded}
