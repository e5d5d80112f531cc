"""Ids that count comparisons: a search through all of them shows, however fast the machine is."""

from __future__ import annotations


class LookedAt(str):
    """An id that knows how often ids were compared."""

    __slots__ = ()
    times = 0

    def __eq__(self, other: object) -> bool:
        type(self).times += 1
        return super().__eq__(other)

    def __hash__(self) -> int:
        type(self).times += 1
        return super().__hash__()
