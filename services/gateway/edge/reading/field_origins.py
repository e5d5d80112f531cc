"""Where the parts of a chat stand in the body of another API that it was made from: errors name the caller's fields."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

_MESSAGE: Final = re.compile(r"messages\[(\d+)\](?:\.content\[(\d+)\]|\.tool_calls\[(\d+)\])?(.*)", re.DOTALL)
_TOOL: Final = re.compile(r"tools\[(\d+)\]\.function(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one message comes from.

    Attributes:
        where: the path of its item or turn.
        body_field: which of its fields became the content.
        parts: the number of each content part there; empty: the same as here.
        calls: the path of each of its tool calls.
    """

    where: str
    body_field: str = "content"
    parts: list[int] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def part(self, number: int) -> str:
        """Return the path of a content part."""
        return f"{self.where}.{self.body_field}[{self.parts[number] if number < len(self.parts) else number}]"

    def call(self, number: int) -> str:
        """Return the path of a tool call."""
        return self.calls[number] if number < len(self.calls) else self.where


@dataclass(frozen=True, slots=True)
class Origins:
    """Says how the caller knows a field of the chat.

    Attributes:
        messages: where each message comes from.
        tools: the path of each function among the caller's tools.
        names: other fields, and the ends of paths below messages and tools (these begin with a dot).
    """

    messages: Sequence[Origin]
    tools: Sequence[str]
    names: Mapping[str, str]

    def name(self, path: str) -> str:
        """Return the caller's path of a field; one that is the same there stays."""
        if found := _MESSAGE.fullmatch(path):
            return self._message(*found.groups())
        if found := _TOOL.fullmatch(path):
            number, rest = int(found[1]), found[2]
            return (self.tools[number] if number < len(self.tools) else f"tools[{number}]") + self._end(rest)
        return self._named(path)

    def _message(self, index: str, part: str | None, call: str | None, rest: str) -> str:
        if int(index) >= len(self.messages):
            return f"messages[{index}]{rest}"
        origin = self.messages[int(index)]
        if part is not None:
            return origin.part(int(part)) + self._end(rest)
        where = origin.call(int(call)) if call is not None else origin.where
        return where + (f".{origin.body_field}" if rest == ".content" else self._end(rest))

    def _end(self, rest: str) -> str:
        known = next((name for name in self.names if name.startswith(".") and rest.startswith(name)), "")
        return self.names[known] + rest[len(known) :] if known else rest

    def _named(self, path: str) -> str:
        known = next((name for name in self.names if path == name or path.startswith((f"{name}.", f"{name}="))), "")
        return self.names[known] + path[len(known) :] if known else path
