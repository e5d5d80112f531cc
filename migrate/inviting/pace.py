"""Pace: how many mails go out in which time."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from servicekit.clock import Clock

SECONDS: Final = {"s": 1.0, "min": 60.0, "h": 3600.0}
MOST: Final = 1_000.0
_PACE: Final = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)/(s|min|h)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pace:
    """Mails a second."""

    per_s: float

    @property
    def piece(self) -> int:
        """Return how many go out together: those of a second, at least one."""
        return max(1, int(self.per_s))


def read_pace(text: str) -> Pace:
    """Return what is written as `5/s`, `100/min` or `1000/h`.

    Raises:
        ValueError: it is not, or it is no pace to send mails at.
    """
    found = _PACE.fullmatch(text)
    per_s = float(found[1]) / SECONDS[found[2]] if found else 0.0
    if not 0 < per_s <= MOST:
        raise ValueError(f"{text!r} is no rate, like 5/s, 100/min or 1000/h")
    return Pace(per_s)


async def pieces(ids: Sequence[str], pace: Pace, clock: Clock) -> AsyncIterator[Sequence[str]]:
    """Yield the ids piece by piece, never faster than the pace: lost time is not made up for."""
    for start in range(0, len(ids), pace.piece):
        if start:
            await clock.sleep(pace.piece / pace.per_s)
        yield ids[start : start + pace.piece]
