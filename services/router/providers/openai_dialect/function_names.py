"""Renames tools whose names a provider does not accept, and restores the names in answers."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Final

from msgspec.structs import replace

from services.router.domain.completion import Batch, Message, Prompt, Role, ToolCall

Aliases = Mapping[str, str]
"""The name that the provider is told, by the caller's own."""
# With what stands behind a name that is taken it still fits into OpenAI's 64.
_LONGEST: Final = 60
_NOT_TAKEN: Final = re.compile(r"[^a-zA-Z0-9_-]")


def as_openai_takes(name: str) -> str:
    """Return the name with its dots, and in histories whatever else a model made up, as underscores."""
    return _NOT_TAKEN.sub("_", name)


def aliases_of(prompt: Prompt, as_taken: Callable[[str], str]) -> Aliases:
    """Return the other names of tools, and of what was called; mostly there are none.

    Args:
        as_taken: returns a name that the provider takes: the same one, if it takes that.
    """
    if not prompt.tools and not any(message.tool_calls for message in prompt.messages):
        return {}
    called = {call.name for message in prompt.messages for call in message.tool_calls}
    names = {tool.name for tool in prompt.tools} | called
    aliases: dict[str, str] = {}
    for name in sorted(names):
        if (taken := as_taken(name)) != name:
            aliases[name] = _unlike(taken, names | {*aliases.values()})
    return aliases


def _unlike(name: str, names: Collection[str]) -> str:
    alias, number = name, 1
    while alias in names:
        number += 1
        alias = f"{name[:_LONGEST]}_{number}"
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


async def named_back(batches: AsyncGenerator[Batch, None], aliases: Aliases) -> AsyncGenerator[Batch, None]:
    """Yield the batches with the names that the caller knows."""
    async with aclosing(batches):
        async for batch in batches:
            for delta in batch.deltas:
                name_back(delta.tool_calls, aliases)
            yield batch
