"""An OpenAI prompt in the words of GigaChat's API v1."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from services.router.domain.catalog import Model
from services.router.domain.completion import Prompt, ResponseFormat, Tool
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers import failures
from services.router.providers.gigachat.messages import NAME, Attachments, messages_of
from services.router.providers.parameters import json_object, sort_out

HOTTEST: Final = 2.0
# Its own parameters, for callers who know the provider behind the model.
_OWN: Final = frozenset({"repetition_penalty", "update_interval", "profanity_check"})


def body_of(
    prompt: Prompt, model: Model, attachments: Attachments, ids: ToolCallIds, dropped: list[str], *, stream: bool
) -> dict[str, Any]:
    """Return the request body; what is left out is named in `dropped`.

    Args:
        attachments: ids of uploaded files by message number.

    Raises:
        InvalidRequest: something that cannot be said to this API.
    """
    sort_out(prompt, NAME, dropped, _OWN)
    body: dict[str, Any] = {"model": model.resolved_model}
    body["messages"] = messages_of(prompt, attachments, ids, dropped)
    _sampling(prompt, model, body, dropped)
    _functions(prompt, body, dropped)
    body.update(_response_format(prompt.response_format))
    body.update({name: msgspec.Raw(prompt.other_json[name]) for name in _OWN if name in prompt.other_json})
    if stream:
        body["stream"] = True
    return body


def _sampling(prompt: Prompt, model: Model, body: dict[str, Any], dropped: list[str]) -> None:
    if prompt.top_p is not None:
        body["top_p"] = prompt.top_p
    if prompt.temperature is not None:
        if prompt.temperature <= 0:
            # 0 lies outside the documented range; top_p 0 is as greedy.
            body["top_p"] = 0
        else:
            body["temperature"] = min(prompt.temperature, HOTTEST)
    if prompt.max_tokens is not None:
        body["max_tokens"] = prompt.max_tokens
    if prompt.reasoning_effort:
        if "reasoning" in model.features:
            body["reasoning_effort"] = prompt.reasoning_effort
        else:
            dropped.append("reasoning_effort")


def _functions(prompt: Prompt, body: dict[str, Any], dropped: list[str]) -> None:
    if prompt.parallel_tool_calls is not None:
        dropped.append("parallel_tool_calls")
    if not prompt.tools:
        return
    body["functions"] = [_function(tool, at) for at, tool in enumerate(prompt.tools)]
    choice = prompt.tool_choice
    if choice is None or choice.mode == "auto":
        body["function_call"] = "auto"
    elif choice.mode == "none":
        body["function_call"] = "none"
    elif choice.mode == "function":
        body["function_call"] = {"name": choice.function_name}
    elif len(prompt.tools) == 1:
        body["function_call"] = {"name": prompt.tools[0].name}
    else:
        raise failures.unsupported("tool_choice", NAME, "'required' needs exactly one tool")


def _function(tool: Tool, at: int) -> dict[str, Any]:
    parameters: Any = {"type": "object"}
    if tool.parameters_json:
        parameters = json_object(tool.parameters_json, f"tools[{at}].function.parameters")
    function: dict[str, Any] = {"name": tool.name, "parameters": with_properties(parameters)}
    if tool.description:
        function["description"] = tool.description
    return function


def with_properties(schema: Any) -> Any:
    """Return the schema with empty `properties` where an object has none: without them the API answers 422."""
    if isinstance(schema, list):
        return [with_properties(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    filled = {key: with_properties(value) for key, value in schema.items()}
    if filled.get("type") == "object" and "properties" not in filled:
        filled["properties"] = {}
    return filled


def _response_format(wanted: ResponseFormat | None) -> dict[str, Any]:
    """Return the format; the schema is not nested, and json_object does not exist (it is emulated)."""
    if wanted is None or wanted.type != "json_schema":
        return {}
    schema = json_object(wanted.schema_json, "response_format.json_schema.schema")
    shape: dict[str, Any] = {"type": "json_schema", "schema": with_properties(schema)}
    if wanted.strict is not None:
        shape["strict"] = wanted.strict
    return {"response_format": shape}
