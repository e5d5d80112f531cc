"""Recent speed of models, for callers who ask for the fastest."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from services.router.domain.catalog import Model

# An older figure says nothing about now.
MEMORY_S: Final = 600.0
# The newest answer counts for a fifth.
_SHARE: Final = 0.2


class Sort(StrEnum):
    """What candidates are sorted by."""

    LATENCY = "latency"
    THROUGHPUT = "throughput"


class _Figure:
    __slots__ = ("seen_at", "value")

    def __init__(self, value: float, now: float) -> None:
        self.value = value
        self.seen_at = now


class Speeds:
    """Moving averages by model, as this process has seen them; times are on the monotonic clock."""

    def __init__(self) -> None:
        self._figures: dict[tuple[str, Sort], _Figure] = {}

    def answered(self, model: Model, latency_s: float, now: float) -> None:
        """Count an answer that began (a whole one: came) so many seconds after it was asked for."""
        self._note(model, Sort.LATENCY, latency_s, now)

    def written(self, model: Model, tokens: int, seconds: float, now: float) -> None:
        """Count an answer of so many tokens that took so many seconds."""
        if tokens > 0 and seconds > 0:
            self._note(model, Sort.THROUGHPUT, tokens / seconds, now)

    def _note(self, model: Model, sort: Sort, value: float, now: float) -> None:
        figure = self._figures.get((model.id, sort))
        if figure is None or now - figure.seen_at > MEMORY_S:
            self._figures[model.id, sort] = _Figure(value, now)
            return
        figure.value += (value - figure.value) * _SHARE
        figure.seen_at = now

    def fastest_first(self, models: Sequence[Model], sort: Sort, now: float) -> list[Model]:
        """Return the models in order: the fastest first, and those of which nothing is known last, as they stood."""

        def key(model: Model) -> tuple[bool, float]:
            figure = self._figures.get((model.id, sort))
            if figure is None or now - figure.seen_at > MEMORY_S:
                return True, 0.0
            return False, figure.value if sort is Sort.LATENCY else -figure.value

        return sorted(models, key=key)
