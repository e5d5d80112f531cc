"""Stop sequences for providers without them or with few: the text is cut at the first match, also across pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

MOST_NATIVE: Final = 4
"""OpenAI's API refuses more; Anthropic's takes them."""


class StopCutter:
    """Passes text on until a stop sequence; holds back what may be the beginning of one."""

    __slots__ = ("_held", "_stops", "matched")

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.matched = False

    def feed(self, text: str) -> str:
        """Return what may be shown now; after a match nothing more is."""
        if self.matched:
            return ""
        window = self._held + text
        ends = [at for stop in self._stops if (at := window.find(stop)) >= 0]
        if ends:
            self.matched = True
            self._held = ""
            return window[: min(ends)]
        keep = max((_overlap(window, stop) for stop in self._stops), default=0)
        self._held = window[len(window) - keep :]
        return window[: len(window) - keep]

    def flush(self) -> str:
        """Return what was held back when the text ended without a match."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest end of `text` that begins `stop`; looked for where its first letter is only."""
    at = text.find(stop[0], max(0, len(text) - len(stop) + 1))
    while at >= 0:
        if stop.startswith(text[at:]):
            return len(text) - at
        at = text.find(stop[0], at + 1)
    return 0
