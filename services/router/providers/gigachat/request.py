"""Converts an OpenAI prompt to GigaChat's API v1."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from servicekit.errors import invalid_parameter
from services.router.domain.catalog import Model
from services.router.domain.completion import Prompt, ResponseFormat, Tool
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers.gigachat.messages import NAME, Attachments, messages_of
from services.router.providers.gigachat.schemas.reducer import EffortLeft, reduced
from services.router.providers.parameters import clamped, effort_within, json_object, name_own, sort_out

HOTTEST: Final = 2.0
# Its own parameters, for callers who know the provider behind the model.
_OWN: Final = frozenset({"repetition_penalty", "update_interval", "profanity_check", "function_ranker", "flags"})
_OWN_OF_TOOLS: Final = ("few_shot_examples", "return_parameters")
# Steers the header of the session.
_ELSEWHERE: Final = frozenset({"prompt_cache_key"})
_EFFORTS: Final = ("low", "medium", "high")


def body_of(
    prompt: Prompt, model: Model, attachments: Attachments, ids: ToolCallIds, dropped: list[str], *, stream: bool
) -> dict[str, Any]:
    """Return the request body; what is left out is named in `dropped`.

    Args:
        attachments: ids of uploaded files by message number.

    Raises:
        InvalidRequest: something that cannot be said to this API.
    """
    sort_out(prompt, NAME, dropped, _OWN | _ELSEWHERE)
    name_own(prompt.tools, dropped, _OWN_OF_TOOLS)
    body: dict[str, Any] = {"model": model.resolved_model}
    body["messages"] = messages_of(prompt, attachments, ids, dropped)
    _sampling(prompt, model, body, dropped)
    left = EffortLeft()
    _functions(prompt, body, dropped, left)
    body.update(_response_format(prompt.response_format, left))
    _check_size(prompt, body)
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
            body["temperature"] = clamped("temperature", prompt.temperature, 0.0, HOTTEST, dropped)
    if prompt.max_tokens is not None:
        body["max_tokens"] = prompt.max_tokens
    if prompt.reasoning_effort:
        if "reasoning" in model.features:
            body["reasoning_effort"] = effort_within(prompt.reasoning_effort, _EFFORTS, dropped)
        else:
            dropped.append("reasoning_effort")


def _functions(prompt: Prompt, body: dict[str, Any], dropped: list[str], left: EffortLeft) -> None:
    if not prompt.tools:
        if prompt.tool_choice is not None and prompt.tool_choice.mode == "auto":
            # Without functions it is the provider's own that the model may use: it draws.
            body["function_call"] = "auto"
        return
    if prompt.parallel_tool_calls:
        # There is one call at most: who wants no more gets what it wants.
        dropped.append("parallel_tool_calls")
    body["functions"] = [_function(tool, at, left) for at, tool in enumerate(prompt.tools)]
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
        # It can be made to call one function, not any: it is asked to, and the provider looks whether it did.
        body["function_call"] = "auto"


def _check_size(prompt: Prompt, body: dict[str, Any]) -> None:
    """Refuse schemas that have become larger than what the caller's budget holds for."""
    if not prompt.schema_bound:
        return
    made = [function["parameters"] for function in body.get("functions", ())]
    made += [form["schema"]] if (form := body.get("response_format")) else []
    if sum(_token_bound(msgspec.json.encode(schema)) for schema in made) > prompt.schema_bound:
        where = "tools" if prompt.tools else "response_format.json_schema.schema"
        raise invalid_parameter(
            where, f"The schemas in '{where}' are too large for GigaChat once their references are written out."
        )


def _token_bound(text: bytes) -> int:
    """Return the most tokens of a text, as the gateway counts: a letter of basic Cyrillic is one, else each byte."""
    return len(text) - text.count(0xD0) - text.count(0xD1)


def _function(tool: Tool, at: int, left: EffortLeft) -> dict[str, Any]:
    param = f"tools[{at}].function.parameters"
    schema = reduced(json_object(tool.parameters_json or b"{}", param), param, is_turned_back=True, left=left)
    if schema["type"] != "object":
        raise invalid_parameter(param, f"'{param}' must be the schema of an object.")
    function: dict[str, Any] = {"name": tool.name, "parameters": schema}
    if tool.description:
        function["description"] = tool.description
    function.update({name: msgspec.Raw(tool.other_json[name]) for name in _OWN_OF_TOOLS if name in tool.other_json})
    return function


def _response_format(wanted: ResponseFormat | None, left: EffortLeft) -> dict[str, Any]:
    """Return the format; the schema is not nested, and json_object does not exist (it is emulated)."""
    if wanted is None or wanted.type != "json_schema":
        return {}
    param = "response_format.json_schema.schema"
    schema = reduced(json_object(wanted.schema_json, param), param, is_turned_back=False, left=left)
    shape: dict[str, Any] = {"type": "json_schema", "schema": schema}
    if wanted.strict is not None:
        shape["strict"] = wanted.strict
    return {"response_format": shape}
