"""The slots that a replica holds: in use, or kept for the next caller."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

_NONE: Final = 0


class Holdings:
    """Slots by credential."""

    def __init__(self) -> None:
        self.in_use: dict[str, int] = {}
        self.idle: dict[str, int] = {}

    def __bool__(self) -> bool:
        return any(self.in_use.values()) or self.idle_count > 0

    @property
    def idle_count(self) -> int:
        """Return how many slots are kept."""
        return sum(self.idle.values())

    @property
    def used_count(self) -> int:
        """Return how many slots are in use."""
        return sum(self.in_use.values())

    def total(self) -> dict[str, int]:
        """Return what is held, in use or kept, by credential."""
        names = self.in_use.keys() | self.idle.keys()
        counts = {name: self.in_use.get(name, _NONE) + self.idle.get(name, _NONE) for name in names}
        return {name: count for name, count in counts.items() if count}

    def use(self, credential: str) -> None:
        """Note a slot that was given to a call."""
        self.in_use[credential] = self.in_use.get(credential, _NONE) + 1

    def use_idle(self, credential: str = "", avoided: Collection[str] = ()) -> str:
        """Put a kept slot to use and return its credential: this one, or the one with most left; "": there is none."""
        if not credential and self.idle:
            names = [name for name in self.idle if name not in avoided] if avoided else self.idle
            credential = max(names, key=self.idle.__getitem__, default="")
        if not self.idle.get(credential):
            return ""
        self.idle[credential] -= 1
        self.use(credential)
        return credential

    def end_use(self, credential: str) -> None:
        """Note that a call has ended."""
        self.in_use[credential] -= 1

    def keep(self, slots: Mapping[str, int]) -> None:
        """Keep slots for callers to come."""
        for credential, count in slots.items():
            self.idle[credential] = self.idle.get(credential, _NONE) + count

    def keep_none(self) -> None:
        """Give back what is kept."""
        self.idle.clear()

    def freest(self, limits: Mapping[str, int], avoided: Collection[str]) -> str:
        """Return the credential that has most left of its limit; "": none has any."""
        left = {name: limit - self.in_use.get(name, _NONE) for name, limit in limits.items() if name not in avoided}
        best = max(left, key=left.__getitem__, default="")
        return best if best and left[best] > 0 else ""
