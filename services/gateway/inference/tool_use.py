"""The tools of a chat in one form: functions only, a choice among them that every provider can be told, no legacy."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from services.gateway.edge.reading.json_body import invalid_field
from services.gateway.schemas.inference import (
    AllowedToolsChoice,
    ChatRequest,
    CustomTool,
    CustomToolChoice,
    FunctionCall,
    FunctionNamed,
    NamedToolChoice,
    Tool,
    ToolCall,
)

_NOTHING_SAID: Final = (None, None, None, None)
# What a function may be called in a chat, and what of it tells shortened names apart.
_LONGEST_NAME: Final = 64
_DIGEST: Final = 8
_OF_TOOL: Final = re.compile(r"tools\[(\d+)\]\.function")


def name_that_fits(name: str) -> str:
    """Return what a function is called in a chat: one of other APIs may have a longer name, which is shortened."""
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{name[: _LONGEST_NAME - _DIGEST - 1]}_{digest}"


def normalise_tools(request: ChatRequest) -> list[str]:
    """Bring tools and their choice to the one form, in place; return what had to be left out.

    Raises:
        InvalidRequest: the choice contradicts the tools; it is named.
    """
    if (request.tools, request.functions, request.tool_choice, request.function_call) == _NOTHING_SAID:
        return []
    field = "tool_choice" if request.tool_choice is not None else "function_call"
    is_empty = request.tools == [] or request.functions == []
    _modernise(request)
    left_out = [f"tools[{at}]" for at, tool in enumerate(request.tools or ()) if isinstance(tool, CustomTool)]
    choice = request.tool_choice
    if left_out and (isinstance(choice, CustomToolChoice) or not request.functions_offered):
        left_out += ["tool_choice"] if choice not in (None, "auto", "none") else []
        request.tool_choice = None
    if is_empty and choice in ("auto", "none"):
        # Asks for what happens anyway: clients send it together with an empty list.
        request.tool_choice = None
    _check_choice(request, field)
    request.tools = [*_allowed(request)] or None
    return left_out


def _modernise(request: ChatRequest) -> None:
    if request.functions is not None:
        if request.tools is not None:
            raise invalid_field("functions", "Give `tools` or `functions`, not both")
        request.tools = [Tool(function=function) for function in request.functions]
    choice = request.function_call
    if choice is not None and request.tool_choice is None:
        request.tool_choice = NamedToolChoice(function=choice) if isinstance(choice, FunctionNamed) else choice


def _check_choice(request: ChatRequest, field: str) -> None:
    """`field` is what the caller calls the choice."""
    choice = request.tool_choice
    is_older = request.functions is not None or (field == "function_call" and not request.tools)
    tools = "functions" if is_older else "tools"
    # Without functions, the older word `function_call: "auto"` lets GigaChat use its own: it draws pictures.
    draws = request.function_call == "auto" and not request.tools
    if choice is not None and choice != "none" and not request.tools and not draws:
        raise invalid_field(field, f"It is only allowed together with `{tools}`")
    if isinstance(choice, NamedToolChoice) and choice.function.name not in _names(request.functions_offered):
        name = f"{field}.function.name" if field == "tool_choice" else f"{field}.name"
        raise invalid_field(name, f"`{tools}` has no function of this name")
    if isinstance(choice, CustomToolChoice):
        raise invalid_field("tool_choice.custom.name", "`tools` has no custom tool of this name")


def in_older_form(path: str) -> str:
    """Return the path of a field of `functions`, where the caller gave those in place of tools."""
    return _OF_TOOL.sub(r"functions[\1]", path)


def _allowed(request: ChatRequest) -> Sequence[Tool]:
    """Return the tools that the model may call: told of no other, it calls no other."""
    offered, choice = request.functions_offered, request.tool_choice
    if not isinstance(choice, AllowedToolsChoice):
        return offered
    wanted = [named.function.name for named in choice.allowed_tools.tools if isinstance(named, NamedToolChoice)]
    unknown = [at for at, name in enumerate(wanted) if name not in _names(offered)]
    if unknown:
        raise invalid_field(f"tool_choice.allowed_tools.tools[{unknown[0]}]", "`tools` has no function of this name")
    request.tool_choice = choice.allowed_tools.mode if wanted else None
    return [tool for tool in offered if tool.function.name in wanted]


def _names(tools: Sequence[Tool]) -> set[str]:
    return {tool.function.name for tool in tools}


def as_function_call(call: ToolCall, where: str) -> None:
    """Make a call of a custom tool one of a function with the text as its argument, in place.

    Raises:
        InvalidRequest: it says not what was called.
    """
    if call.type == "custom":
        if call.custom is None:
            raise invalid_field(f"{where}.custom", "This field is required")
        arguments = msgspec.json.encode({"input": call.custom.input}).decode()
        call.function, call.custom, call.type = FunctionCall(call.custom.name, arguments), None, "function"
    elif not call.function.name:
        raise invalid_field(f"{where}.function", "This field is required")
