"""Tools of the Responses API -> the functions of a chat, which has no namespaces: they go into the name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec import Raw

from services.gateway.edge.reading.json_body import decode_part, invalid_field
from services.gateway.inference.responses.schemas import ResponsesToolChoice, ToolDefinition
from services.gateway.inference.responses.turns import given, name_in_chat
from services.gateway.schemas.inference import FunctionDefinition, Tool

_TOOL: Final = msgspec.json.Decoder(ToolDefinition)


@dataclass(frozen=True, slots=True)
class Offered:
    """The functions that may be called.

    Attributes:
        tools: as a chat has them.
        paths: where each stands in the body.
        left_out: tools that only OpenAI's own servers run.
        names: the namespace of a function (or "") and its name there, by its name in the chat.
    """

    tools: list[Tool] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    names: dict[str, tuple[str, str]] = field(default_factory=dict)


def offered(given_tools: Sequence[Raw], choice: object) -> Offered:
    """Return the functions among the tools; `choice` may allow only some.

    Raises:
        InvalidRequest: a tool is of another form, or a chat cannot tell two apart; the field is named.
    """
    found, allowed = Offered(), _allowed(choice)
    for index, raw in enumerate(given_tools):
        where = f"tools[{index}]"
        tool = decode_part(_TOOL, raw, where)
        if tool.type == "namespace":
            namespace = given(tool.name, f"{where}.name")
            for number, inner in enumerate(tool.tools or ()):
                _add(found, inner, f"{where}.tools[{number}]", allowed, namespace)
        else:
            _add(found, tool, where, allowed)
    _check(found, choice)
    return found


def _add(
    found: Offered, tool: ToolDefinition, where: str, allowed: set[str | None] | None, namespace: str = ""
) -> None:
    if tool.type != "function":
        found.left_out.append(f"{where}={tool.type}")
        return
    name = given(tool.name, f"{where}.name")
    if allowed is not None and name not in allowed:
        return
    called = name_in_chat(name, namespace)
    if found.names.setdefault(called, (namespace, name)) != (namespace, name):
        raise invalid_field(f"{where}.name", f"Another tool is called {called!r} in a chat, too: rename one of them")
    found.tools.append(Tool(function=FunctionDefinition(called, tool.description, tool.parameters, tool.strict)))
    found.paths.append(where)


def _check(found: Offered, choice: object) -> None:
    """Refuse a choice among functions that are not there, as chats do: the model would be offered too few."""
    if not isinstance(choice, ResponsesToolChoice) or choice.type != "allowed_tools":
        return
    known = {name for _, name in found.names.values()}
    for at, tool in enumerate(choice.tools or ()):
        if tool.type == "function" and tool.name not in known:
            raise invalid_field(f"tool_choice.tools[{at}]", "`tools` has no function of this name")


def _allowed(choice: object) -> set[str | None] | None:
    if not isinstance(choice, ResponsesToolChoice) or choice.type != "allowed_tools":
        return None
    return {tool.name for tool in choice.tools or ()}
