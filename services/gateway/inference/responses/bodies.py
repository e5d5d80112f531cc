"""Response objects and their items, as OpenAI has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from servicekit.errors import ErrorReason, ServiceError
from services.gateway.clients.completion import Choice, Completion
from services.gateway.edge.money import roubles
from services.gateway.edge.problems import RENDERING, code_of
from services.gateway.inference.conversation import answer_turn
from services.gateway.inference.responses.kept import item_id
from services.gateway.inference.responses.schemas import ResponsesRequest
from services.gateway.metering.usage_record import TokenUsage
from services.gateway.schemas.inference import ChatMessage, FunctionCall, ToolCall

# Why an answer is not whole, by OpenAI's finish reason.
_RATES: Final = frozenset(
    {ErrorReason.RATE_LIMIT_EXCEEDED, ErrorReason.CONCURRENT_LIMIT, ErrorReason.PROVIDER_RATE_LIMITED}
)
INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """What every object of one answer begins with.

    Attributes:
        id: of the response; only who has it can have it back.
        created: Unix seconds.
        request: what was asked; much of it is said again.
        names: namespace and name of a function in one, by its name in the chat.
    """

    id: str
    created: int
    request: ResponsesRequest
    names: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def item_id(self, prefix: str, index: int) -> str:
        """Return the id of an item of the answer."""
        return item_id(prefix, self.id, index)

    def named(self, name: str) -> dict[str, str]:
        """Return the name of a called function as the caller knows it."""
        namespace, own = self.names.get(name, ("", name))
        return {"name": own, "namespace": namespace} if namespace else {"name": own}


def response_usage(usage: TokenUsage, cost_micro_rub: int) -> dict[str, Any]:
    """Return the usage object of this API, and beside it what the answer cost."""
    return {
        "input_tokens": usage.tokens_input,
        "input_tokens_details": {"cached_tokens": usage.tokens_cached, "cache_write_tokens": 0},
        "output_tokens": usage.tokens_output,
        "output_tokens_details": {"reasoning_tokens": usage.tokens_reasoning},
        "total_tokens": usage.tokens_input + usage.tokens_output,
        "cost_rub": roubles(cost_micro_rub),
    }


def response_object(head: ResponseHead, status: str, output: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """Return a response object; `changes` are fields that are not as in one that has just begun."""
    request = head.request
    given = msgspec.to_builtins(request, builtin_types=(msgspec.Raw,))
    return {
        "id": head.id,
        "object": "response",
        "created_at": head.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": request.instructions,
        "max_output_tokens": request.max_output_tokens,
        "metadata": request.metadata or {},
        "model": request.model,
        "output": output,
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "previous_response_id": request.previous_response_id,
        "reasoning": given["reasoning"] or {"effort": None, "summary": None},
        "store": request.is_kept,
        "temperature": request.temperature,
        "text": _text(given["text"] or {}),
        "tool_choice": given["tool_choice"] or "auto",
        "tools": [_tool(tool) for tool in request.tools or ()],
        "top_p": request.top_p,
        "truncation": request.truncation or "disabled",
        "usage": None,
        "user": request.user,
        **changes,
    }


def _text(text: dict[str, Any]) -> dict[str, Any]:
    return {"format": text.get("format") or {"type": "text"}, "verbosity": text.get("verbosity") or "medium"}


def _tool(raw: msgspec.Raw) -> dict[str, Any]:
    """Return a tool as it was given; of a function each field is said, as OpenAI says it."""
    tool: dict[str, Any] = msgspec.json.decode(raw)
    if tool.get("type") != "function":
        return tool
    return {"description": None, "parameters": None, "strict": None, **tool}


def ended(
    head: ResponseHead, finish_reason: str, output: list[dict[str, Any]], usage: dict[str, Any]
) -> dict[str, Any]:
    """Return the object of an answer that has come to its end, whole or not."""
    why = INCOMPLETE.get(finish_reason)
    if why is None:
        return response_object(head, "completed", output, usage=usage)
    return response_object(head, "incomplete", output, usage=usage, incomplete_details={"reason": why})


def failure(error: ServiceError, request_id: str) -> dict[str, Any]:
    """Return why a response failed: the code is one of the few that OpenAI's types have, ours is among the details."""
    rendering = RENDERING[error.reason]
    code = "invalid_prompt" if rendering.status == 400 else "server_error"
    if error.reason in _RATES:
        code = "rate_limit_exceeded"
    details = {**error.details, "code": code_of(error), "request_id": request_id}
    return {"code": code, "message": error.message, "param": error.param, "type": rendering.type, "details": details}


def end_status(finish_reason: str) -> str:
    """Return how an item stands that was the last to be made."""
    return "incomplete" if finish_reason in INCOMPLETE else "completed"


def message_item(id: str, text: str, status: str = "completed") -> dict[str, Any]:
    """Return a message of the model; before it says anything it has no content."""
    content = [] if status == "in_progress" else [text_part(text)]
    return {"id": id, "type": "message", "role": "assistant", "status": status, "content": content}


def text_part(text: str) -> dict[str, Any]:
    """Return the text of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def reasoning_item(id: str, text: str) -> dict[str, Any]:
    """Return what the model thought."""
    return {"id": id, "type": "reasoning", "summary": [{"type": "summary_text", "text": text}] if text else []}


def call_item(id: str, call: ToolCall, named: Mapping[str, str], status: str = "completed") -> dict[str, Any]:
    """Return a call that the model made."""
    return {
        "id": id,
        "type": "function_call",
        "call_id": call.id,
        **named,
        "arguments": call.function.arguments,
        "status": status,
    }


def items_of(head: ResponseHead, choice: Choice) -> list[dict[str, Any]]:
    """Return the items of a whole answer: thoughts, text, calls."""
    items: list[dict[str, Any]] = []
    end = end_status(choice.finish_reason)
    if choice.reasoning:
        items.append(reasoning_item(head.item_id("rs", 0), choice.reasoning))
    if choice.content or not choice.tool_calls:
        status = "completed" if choice.tool_calls else end
        items.append(message_item(head.item_id("msg", len(items)), choice.content or "", status))
    for number, call in enumerate(choice.tool_calls, 1):
        status = end if number == len(choice.tool_calls) else "completed"
        made = ToolCall(call.id, FunctionCall(call.name, call.arguments))
        items.append(call_item(head.item_id("fc", len(items)), made, head.named(call.name), status))
    return items


def listed(number: int, item: dict[str, Any]) -> dict[str, Any]:
    """Return an item of the input in the long form: with type and id, a message's text as a part."""
    named = {"status": "completed", **item, "id": item.get("id") or f"item_{number}"}
    if named.get("type", "message") != "message":
        return named
    content = named["content"]
    if isinstance(content, str):
        spoken = named["role"] == "assistant"
        content = [text_part(content) if spoken else {"type": "input_text", "text": content}]
    return {"type": "message", **named, "content": content}


def answered(completion: Completion) -> ChatMessage:
    """Return what the model said as a message of the chat, for a next turn."""
    choice = completion.choices[0]
    calls = [ToolCall(call.id, FunctionCall(call.name, call.arguments)) for call in choice.tool_calls]
    return answer_turn(choice.content or "", calls, choice.reasoning)
