"""What OpenAI refuses with 400, in its words: servers that take more are asked no less politely."""

import re
from collections.abc import Sequence
from typing import Any, Final

from emulator.openai.format import BadRequestError

# Who calls, and what caches go by.
_IDS: Final = ("user", "safety_identifier", "prompt_cache_key")
LONGEST_ID: Final = 64
_TIERS: Final = ("auto", "default", "flex", "scale", "priority")
_FUNCTION_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_RANGES: Final = {
    "temperature": (0, 2), "top_p": (0, 1), "n": (1, 128), "frequency_penalty": (-2, 2), "presence_penalty": (-2, 2),
}  # fmt: skip
_MOST_STOPS: Final = 4
_KNOWN: Final = frozenset(
    (
        *(
            "audio",
            "frequency_penalty",
            "function_call",
            "functions",
            "logit_bias",
            "logprobs",
            "max_completion_tokens",
        ),
        *("max_tokens", "messages", "metadata", "modalities", "model", "moderation", "n", "parallel_tool_calls"),
        *("prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
        *("reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop", "store"),
        *("stream", "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user"),
        *("verbosity", "web_search_options"),
        # Servers of open models know these, too.
        *("min_p", "repetition_penalty", "top_k"),
    )
)
_Message = dict[str, Any]


def check_chat(body: dict[str, Any]) -> None:
    """Check a request for a chat; its messages are read already.

    Raises:
        BadRequestError: with the field at fault.
    """
    for name in body:
        if name not in _KNOWN:
            raise BadRequestError(f"Unrecognized request argument supplied: {name}")
    check_ids(body)
    for name, (least, most) in _RANGES.items():
        value = body.get(name)
        if value is not None and not least <= value <= most:
            raise BadRequestError(f"Invalid '{name}': expected a value between {least} and {most}.", name)
    if isinstance(body.get("stop"), list) and len(body["stop"]) > _MOST_STOPS:
        raise BadRequestError(f"Invalid 'stop': array too long. Expected at most {_MOST_STOPS}.", "stop")
    if body.get("service_tier") not in (None, *_TIERS):
        raise BadRequestError(f"Invalid value: '{body['service_tier']}'.", "service_tier", "invalid_value")
    _check_together(body)
    _check_names(body.get("tools") or ())
    _check_calls(body["messages"])


def check_ids(body: dict[str, Any]) -> None:
    """Check the length of what tells users apart.

    Raises:
        BadRequestError: one is too long.
    """
    for name in _IDS:
        length = len(body.get(name) or "")
        if length > LONGEST_ID:
            raise BadRequestError(
                f"Invalid '{name}': string too long. Expected a string with maximum length {LONGEST_ID}, but got a "
                f"string with length {length} instead.", name, "string_above_max_length",
            )  # fmt: skip


def _check_together(body: dict[str, Any]) -> None:
    """Check what is allowed beside another field only."""
    if body.get("metadata") and not body.get("store"):
        raise BadRequestError("The 'metadata' parameter is only allowed when 'store' is enabled.", "metadata")
    if body.get("stream_options") and not body.get("stream"):
        raise BadRequestError(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options"
        )
    for name in ("tool_choice", "parallel_tool_calls"):
        if body.get(name) is not None and not body.get("tools"):
            raise BadRequestError(f"Invalid value for '{name}': only allowed when 'tools' are specified.", name)
    if body.get("tools") == []:
        raise BadRequestError("Invalid 'tools': empty array. Expected an array with minimum length 1.", "tools")


def _check_names(tools: Sequence[dict[str, Any]], place: str = "tools") -> None:
    for number, tool in enumerate(tools):
        if not _FUNCTION_NAME.fullmatch(tool["function"]["name"]):
            where = f"{place}[{number}].function.name"
            raise BadRequestError(f"Invalid '{where}': string does not match pattern.", where, "invalid_value")


def _check_calls(messages: Sequence[_Message]) -> None:
    """Check that each call is named as a tool may be and answered right behind it, and nothing else is."""
    waiting: set[str] = set()
    for number, message in enumerate(messages):
        where = f"messages.[{number}]"
        if message["role"] == "tool":
            if message.get("tool_call_id") not in waiting:
                text = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
                raise BadRequestError(f"Invalid parameter: {text}", f"{where}.role")
            waiting.discard(message["tool_call_id"])
            continue
        _check_answered(waiting)
        _check_names(message.get("tool_calls") or (), f"{where}.tool_calls")
        waiting = {call["id"] for call in message.get("tool_calls") or ()}
        if message.get("content") is None and not waiting and not message.get("function_call"):
            raise BadRequestError(
                "Invalid value for 'content': expected a string, got null.", f"{where}.content", "invalid_type"
            )
    _check_answered(waiting)


def _check_answered(waiting: set[str]) -> None:
    if waiting:
        text = "An assistant message with 'tool_calls' must be followed by tool messages responding to each one."
        raise BadRequestError(f"{text} Without response: {', '.join(sorted(waiting))}", "messages")
