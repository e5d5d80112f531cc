"""Tools that a caller names like one of GigaChat's built-in functions: told under another name, and named back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
Aliases = Mapping[str, str]
"""The name that the provider is told, by the caller's own."""


def aliases_of(prompt: Prompt) -> Aliases:
    """Return the other names of what is called like something built in; mostly nothing is."""
    if not prompt.tools and not any(message.tool_calls for message in prompt.messages):
        return {}
    called = {call.name for message in prompt.messages for call in message.tool_calls}
    names = {tool.name for tool in prompt.tools} | called
    return {name: _unlike(name, names) for name in sorted(names & BUILT_IN)}


def _unlike(name: str, names: set[str]) -> str:
    alias = _PREFIX + name
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
