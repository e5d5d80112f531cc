"""The part of a streamed answer that has been read from the provider but not yet sent to the caller."""

from __future__ import annotations

from collections.abc import Sequence

from services.router.domain.completion import Batch, Delta, End, Route, StreamPart, Usage


class Progress:
    """What has been read but not yet sent."""

    __slots__ = ("_deltas", "_heard", "_open_choices", "_route", "_said", "usage")

    def __init__(self, choices: int, route: Route) -> None:
        self._open_choices = choices
        self._route: Route | None = route
        self._said: Usage | None = None
        self._deltas: list[Delta] = []
        self._heard: list[Delta] = []
        self.usage: Usage | None = None

    def add(self, batch: Batch) -> None:
        """Take over a batch."""
        deltas = batch.deltas
        if self._deltas:
            self._deltas.extend(deltas)
        else:
            # Mostly nothing waits: the batch's own list will do, which nobody else keeps.
            self._deltas = deltas
        if batch.usage is not None:
            self.usage = self._said = batch.usage
            self._heard.clear()
        elif self.usage is None:
            self._heard += deltas
        for delta in deltas:
            if delta.finish_reason is not None:
                self._open_choices -= 1

    @property
    def heard(self) -> Sequence[Delta]:
        """All of an answer of which no usage has been said."""
        return self._heard

    @property
    def is_ending(self) -> bool:
        """Whether every choice has its finish reason."""
        return self._open_choices <= 0

    @property
    def needs_counting(self) -> bool:
        """Whether a break here leaves nothing to bill by but the text, all of which has been given out."""
        return self.usage is None and not self.is_ending

    def next_part(self) -> StreamPart | None:
        """Give out what was read; None when there is nothing, or when the end follows in the same breath."""
        has_something = bool(self._deltas) or self._said is not None
        return self.take() if has_something and self._open_choices > 0 else None

    def take(self) -> StreamPart:
        """Give out what was read; the route comes with the first part."""
        part = StreamPart(self._deltas, self._route, self._said)
        self._deltas, self._route, self._said = [], None, None
        return part

    def take_last(self, end: End) -> StreamPart:
        """Give out the rest with the end, which says the usage."""
        return StreamPart(self._deltas, self._route, None, end)
