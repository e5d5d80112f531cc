"""`functions` and `function_call`, the first shape of OpenAI's tools: read as tools."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from servicekit.errors import ErrorReason, InvalidRequest
from services.router.domain.completion import Prompt, Tool, ToolChoice


def modernised(prompt: Prompt) -> Prompt:
    """Return the prompt with old functions as tools; unchanged when it has none, or has tools.

    Raises:
        InvalidRequest: they are malformed.
    """
    raw = prompt.other_json.get("functions")
    if raw is None or raw == b"null" or prompt.tools:
        return prompt
    functions = _loaded(raw, "functions")
    if not isinstance(functions, list):
        raise _malformed("functions")
    choice = prompt.other_json.get("function_call", b"null")
    return replace(
        prompt,
        tools=[_tool(function) for function in functions],
        tool_choice=_choice(_loaded(choice, "function_call")) or prompt.tool_choice,
    )


def _loaded(raw: bytes, name: str) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise _malformed(name) from exc


def _tool(function: Any) -> Tool:
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise _malformed("functions")
    parameters = function.get("parameters")
    description = function.get("description")
    return Tool(
        function["name"],
        description if isinstance(description, str) else "",
        json.dumps(parameters, ensure_ascii=False).encode() if parameters is not None else b"",
    )


def _choice(choice: Any) -> ToolChoice | None:
    if choice is None:
        return None
    if choice in ("none", "auto"):
        return ToolChoice(choice)
    if isinstance(choice, dict) and isinstance(choice.get("name"), str):
        return ToolChoice("function", choice["name"])
    raise _malformed("function_call")


def _malformed(name: str) -> InvalidRequest:
    return InvalidRequest(ErrorReason.INVALID_PARAMETERS, f"'{name}' is malformed.", param=name)
