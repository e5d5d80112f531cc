"""One answer in two forms: the parts of a stream become a whole answer, and a whole answer becomes parts."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.gateway.clients.completion import Choice, Completion, Delta, End, Route, StreamPart, ToolCallPart


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Growing:
    """One choice, as far as it has come."""

    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: dict[int, _Call] = field(default_factory=dict)
    finish_reason: str = ""

    def add(self, delta: Delta) -> None:
        """Add a piece."""
        self.content.append(delta.content)
        self.reasoning.append(delta.reasoning)
        self.finish_reason = delta.finish_reason or self.finish_reason
        for part in delta.tool_calls:
            call = self.calls.setdefault(part.index, _Call())
            call.id, call.name = call.id or part.id, call.name or part.name
            call.arguments.append(part.arguments)

    def choice(self, index: int) -> Choice:
        """Return the choice."""
        content = "".join(self.content)
        calls = tuple(
            [ToolCallPart(at, call.id, call.name, "".join(call.arguments)) for at, call in sorted(self.calls.items())]
        )
        return Choice(index, content or (None if calls else ""), "".join(self.reasoning), calls, self.finish_reason)


class Gathering:
    """Gathers the parts of a stream."""

    def __init__(self) -> None:
        self._choices: dict[int, _Growing] = {}
        self._route: Route | None = None
        self._end: End | None = None

    def add(self, part: StreamPart) -> None:
        """Add a part."""
        self._route = self._route or part.route
        self._end = part.end or self._end
        for delta in part.deltas:
            self._choices.setdefault(delta.index, _Growing()).add(delta)

    def completion(self) -> Completion | None:
        """Return the whole answer; None: the stream had no end."""
        if self._route is None or self._end is None:
            return None
        choices = tuple([growing.choice(index) for index, growing in sorted(self._choices.items())])
        return Completion(self._route, choices, self._end)


def part_of(completion: Completion) -> StreamPart:
    """Return a whole answer as a stream of one part, its deltas in the order in which a model says them."""
    deltas = [delta for choice in completion.choices for delta in _deltas(choice)]
    return StreamPart(tuple(deltas), completion.route, None, completion.end)


def _deltas(choice: Choice) -> list[Delta]:
    said = [
        Delta(choice.index, "", choice.reasoning, (), ""),
        Delta(choice.index, choice.content or "", "", (), ""),
        Delta(choice.index, "", "", choice.tool_calls, ""),
        Delta(choice.index, "", "", (), choice.finish_reason),
    ]
    return [delta for delta in said if delta.content or delta.reasoning or delta.tool_calls or delta.finish_reason]
