"""Tools whose names GigaChat does not take, or has functions of its own for: told under another, and named back."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from services.router.domain.completion import Message, Prompt, Role, ToolCall

BUILT_IN: Final = frozenset(
    {
        "code_interpreter",
        "get_file_content",
        "image_generate",
        "model_3d_generate",
        "text2image",
        "text2model3d",
        "url_content_extraction",
        "web_search",
    }
)
_PREFIX: Final = "user_"
# "Latin letters only", and no digit first, says its documentation, whose own samples have underscores. In tools of
# OpenAI's clients hyphens and digits may stand anywhere, and in those of MCP servers they do.
_TAKEN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_TAKEN: Final = re.compile(r"[^A-Za-z0-9_]")
Aliases = Mapping[str, str]
"""The name that the provider is told, by the caller's own."""


def aliases_of(prompt: Prompt) -> Aliases:
    """Return the other names of what is called like something built in, or as nothing may be; mostly nothing is."""
    if not prompt.tools and not any(message.tool_calls for message in prompt.messages):
        return {}
    called = {call.name for message in prompt.messages for call in message.tool_calls}
    names = {tool.name for tool in prompt.tools} | called
    aliases: dict[str, str] = {}
    for name in sorted(name for name in names if name in BUILT_IN or not _TAKEN.fullmatch(name)):
        aliases[name] = _unlike(name, names | {*aliases.values()})
    return aliases


def _unlike(name: str, names: Collection[str]) -> str:
    fitting = _NOT_TAKEN.sub("_", name)
    alias = fitting if fitting not in BUILT_IN and _TAKEN.fullmatch(fitting) else _PREFIX + fitting
    while alias in names:
        alias = f"{alias}_"
    return alias


def renamed(prompt: Prompt, aliases: Aliases) -> Prompt:
    """Return the prompt with the other names in tools, choice and history."""
    if not aliases:
        return prompt
    choice = prompt.tool_choice
    return replace(
        prompt,
        messages=[_renamed_message(message, aliases) for message in prompt.messages],
        tools=[replace(tool, name=aliases.get(tool.name, tool.name)) for tool in prompt.tools],
        tool_choice=choice and replace(choice, function_name=aliases.get(choice.function_name, choice.function_name)),
    )


def _renamed_message(message: Message, aliases: Aliases) -> Message:
    if message.role is Role.TOOL:
        return replace(message, name=aliases.get(message.name, message.name))
    if not message.tool_calls:
        return message
    return replace(
        message, tool_calls=[replace(call, name=aliases.get(call.name, call.name)) for call in message.tool_calls]
    )


def name_back(calls: Sequence[ToolCall], aliases: Aliases) -> None:
    """Give calls the names that the caller knows, in place."""
    if not aliases:
        return
    own = {alias: name for name, alias in aliases.items()}
    for call in calls:
        call.name = own.get(call.name, call.name)
