"""Assembles tool calls from the pieces of a stream, each with an index, a name and a unique id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from services.router.domain.completion import ToolCall
from services.router.domain.tool_call_id import CallState, ToolCallIds, shortened
from services.router.providers.openai_dialect import wire
from services.router.providers.openai_dialect.json_end import JsonEnd
from services.router.providers.openai_dialect.quirks import Quirks
from services.router.providers.parameters import arguments_text

_NAMELESS: Final = wire.Function()
# Of a function that takes none some say nothing at all; clients read JSON.
NO_ARGUMENTS: Final = "{}"


class Calls:
    """Gives each tool call a unique id, unless it has one.

    Attributes:
        is_forced: a call was asked for, whatever the model thinks: then control text may leak.
    """

    def __init__(self, ids: ToolCallIds, tenant: str, quirks: Quirks, *, is_forced: bool) -> None:
        self._ids = ids
        self._tenant = tenant
        self._quirks = quirks
        self.is_forced = is_forced

    def whole(self, calls: Sequence[wire.Call]) -> list[ToolCall]:
        """Return the calls of a whole answer, numbered by their place."""
        taken: set[str] = set()
        return [self._one(call, at, taken) for at, call in enumerate(calls)]

    def _one(self, call: wire.Call, at: int, taken: set[str]) -> ToolCall:
        function = call.function or _NAMELESS
        return ToolCall(self.id_of(call, taken), function.name or "", arguments_of(function), at)

    def id_of(self, call: wire.Call, taken: set[str]) -> str:
        """Return the id by which the caller will know a call, and add it to those that are taken.

        Some upstreams give no id, or all calls of an answer the same: results would be told of the wrong one.
        """
        own = shortened(self.own_id(call))
        if not own or own in taken:
            own = self._ids.of(self._tenant).encode(CallState((call.function or _NAMELESS).name or ""))
        taken.add(own)
        return own

    def own_id(self, call: wire.Call) -> str:
        """Return the upstream's id, if it tells calls apart."""
        return "" if call.id is None or not self._quirks.own_call_ids else str(call.id)


def arguments_of(function: wire.Function) -> str:
    """Return the JSON text of arguments, or a piece of it."""
    return "" if function.arguments is None else arguments_text(function.arguments)


@dataclass(slots=True)
class _Begun:
    """A call of which a piece has arrived."""

    place: int
    own_id: str = ""
    name: str = ""
    has_id: bool = False
    arguments: list[str] = field(default_factory=list)
    _end: JsonEnd = field(default_factory=JsonEnd)

    def add(self, arguments: str) -> None:
        """Take a piece of the arguments."""
        self.arguments.append(arguments)
        self._end.feed(arguments)

    @property
    def is_whole(self) -> bool:
        """Whether its arguments are: another piece with a name begins another call."""
        return self._end.is_reached


class StreamedCalls:
    """The calls of one choice, in the order in which they begin; repeated pieces are dropped.

    OpenAI numbers calls, and names each in its first piece only. Others number none of them, or all of them 0 (Ollama),
    or count from 1; and there are those that say name and id in each piece, or make up an id for each.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._begun: list[_Begun] = []
        self._by_number: dict[int | None, _Begun] = {}
        self._by_id: dict[str, _Begun] = {}
        self._taken: set[str] = set()

    def pieces(self, calls: Sequence[wire.Call]) -> list[ToolCall]:
        """Return what is new in the pieces of one event."""
        return [self._piece(call) for call in calls]

    def unsaid(self) -> list[ToolCall]:
        """Return the arguments of the calls that ended without any."""
        silent = [begun for begun in self._begun if not any(begun.arguments)]
        return [ToolCall("", "", NO_ARGUMENTS, begun.place) for begun in silent]

    def _piece(self, call: wire.Call) -> ToolCall:
        function = call.function or _NAMELESS
        begun, name, call_id = self._call_of(call, function.name or ""), "", ""
        if function.name and not begun.name:
            name = begun.name = function.name
        if not begun.has_id and (name or call.id not in (None, "")):
            call_id, begun.has_id = self._calls.id_of(call, self._taken), True
        arguments = arguments_of(function)
        begun.add(arguments)
        return ToolCall(call_id, name, arguments, begun.place)

    def _call_of(self, call: wire.Call, name: str) -> _Begun:
        """Return the call that a piece belongs to."""
        own_id = self._calls.own_id(call)
        known = self._by_number.get(call.index)
        if call.index is None and own_id:
            known = self._by_id.get(own_id, known)
        if known is not None and not (name and known.name and _is_another(known, name, own_id)):
            known.own_id = known.own_id or own_id
        else:
            known = self._by_number[call.index] = _Begun(len(self._begun), own_id)
            self._begun.append(known)
        if known.own_id:
            self._by_id.setdefault(known.own_id, known)
        return known


def _is_another(known: _Begun, name: str, own_id: str) -> bool:
    """Tell whether a named piece under the number of a call begins another one."""
    if name != known.name:
        return True
    return own_id != known.own_id if own_id and known.own_id else known.is_whole
