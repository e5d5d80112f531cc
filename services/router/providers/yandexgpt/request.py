"""Converts an OpenAI prompt to YandexGPT's native API."""

from __future__ import annotations

from typing import Any, Final

from servicekit.errors import invalid_parameter
from services.router.domain.catalog import Model
from services.router.domain.completion import Message, Prompt, ResponseFormat, Role, Tool, ToolChoice
from services.router.domain.tool_call_id import OfferedNames, ToolCallIds
from services.router.providers import failures
from services.router.providers.parameters import (
    EFFORTS,
    call_arguments,
    clamped,
    json_object,
    name_own,
    plain_text,
    sort_out,
)

NAME: Final = "YandexGPT"
_NO_REASONING: Final = frozenset({"none", "minimal"})
_MODES: Final = {"none": "NONE", "auto": "AUTO", "required": "REQUIRED"}


def native_body(
    prompt: Prompt, model: Model, uri: str, ids: ToolCallIds, dropped: list[str], *, stream: bool
) -> dict[str, Any]:
    """Return the request body; what is left out is named in `dropped`.

    Raises:
        InvalidRequest: something that cannot be said to this API.
    """
    sort_out(prompt, NAME, dropped)
    body: dict[str, Any] = {
        "modelUri": uri,
        "completionOptions": _options(prompt, model, dropped, stream),
        "messages": native_messages(prompt, ids.of(prompt.tenant), dropped),
    }
    name_own(prompt.tools, dropped)
    body.update(_response_format(prompt.response_format))
    if prompt.tools:
        body["tools"] = [_tool(tool, at) for at, tool in enumerate(prompt.tools)]
        if prompt.tool_choice is not None:
            body["toolChoice"] = _tool_choice(prompt.tool_choice)
        if prompt.parallel_tool_calls is not None:
            body["parallelToolCalls"] = prompt.parallel_tool_calls
    return body


def _options(prompt: Prompt, model: Model, dropped: list[str], stream: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"stream": stream}
    if prompt.temperature is not None:
        options["temperature"] = clamped("temperature", prompt.temperature, 0.0, 1.0, dropped)
    if prompt.max_tokens is not None:
        options["maxTokens"] = str(prompt.max_tokens)
    if prompt.top_p is not None:
        dropped.append("top_p")
    if prompt.reasoning_effort:
        if "reasoning" in model.features:
            off = prompt.reasoning_effort in _NO_REASONING
            if prompt.reasoning_effort not in EFFORTS:
                dropped.append("reasoning_effort=high")
            options["reasoningOptions"] = {"mode": "DISABLED" if off else "ENABLED_HIDDEN"}
        else:
            dropped.append("reasoning_effort")
    return options


def _response_format(wanted: ResponseFormat | None) -> dict[str, Any]:
    if wanted is None or wanted.type in ("", "text"):
        return {}
    if wanted.type == "json_object":
        return {"jsonObject": True}
    return {"jsonSchema": {"schema": json_object(wanted.schema_json, "response_format.json_schema.schema")}}


def _tool(tool: Tool, at: int) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters_json:
        function["parameters"] = json_object(tool.parameters_json, f"tools[{at}].function.parameters")
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"function": function}


def _tool_choice(choice: ToolChoice) -> dict[str, str]:
    if choice.mode == "function":
        return {"functionName": choice.function_name}
    return {"mode": _MODES.get(choice.mode, "AUTO")}


def native_messages(prompt: Prompt, ids: ToolCallIds, dropped: list[str]) -> list[dict[str, Any]]:
    """Return the messages: one system message first, empty ones left out, tool results by name under `user`."""
    system: list[str] = []
    turns: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    offered = OfferedNames(ids, [tool.name for tool in prompt.tools])
    for at, message in enumerate(prompt.messages):
        if message.name and message.role is not Role.TOOL and "messages[].name" not in dropped:
            dropped.append("messages[].name")
        text = plain_text(message, at, NAME)
        if message.role is Role.SYSTEM:
            system.append(text)
        elif message.role is Role.TOOL:
            name = names.get(message.tool_call_id) or offered.of(message.tool_call_id) or message.name
            if not name:
                raise failures.no_such_call(at)
            _add_result(turns, message, text, name)
        else:
            if text:
                turns.append({"role": message.role.value, "text": text})
            if message.tool_calls:
                names.update((call.id, call.name) for call in message.tool_calls)
                turns.append(_calls(message))
    joined = "\n".join(text for text in system if text)
    if joined:
        turns.insert(0, {"role": "system", "text": joined})
    if not turns:
        raise invalid_parameter("messages", "All messages are empty.")
    return turns


def _calls(message: Message) -> dict[str, Any]:
    calls = [
        {"functionCall": {"name": call.name, "arguments": call_arguments(call.arguments)}}
        for call in message.tool_calls
    ]
    return {"role": "assistant", "toolCallList": {"toolCalls": calls}}


def _add_result(turns: list[dict[str, Any]], message: Message, text: str, name: str) -> None:
    """Add a result; results that follow each other answer one list of calls and share a message."""
    result = {"functionResult": {"name": name, "content": text}}
    if turns and "toolResultList" in turns[-1]:
        turns[-1]["toolResultList"]["toolResults"].append(result)
    else:
        turns.append({"role": "user", "toolResultList": {"toolResults": [result]}})
