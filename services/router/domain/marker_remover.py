"""Removes a model's control tokens from its text, also across pieces of a stream."""

from __future__ import annotations

from services.router.domain.stop_sequences import StopCutter


class MarkerRemover:
    """Passes text on without the marker; holds back what may be the beginning of one."""

    __slots__ = ("_cutter", "_marker")

    def __init__(self, marker: str) -> None:
        self._marker = marker
        self._cutter = StopCutter([marker])

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        *whole, rest = (self._cutter.flush() + text).split(self._marker)
        return "".join(whole) + self._cutter.feed(rest)

    def flush(self) -> str:
        """Return what was held back when the text has ended."""
        return self._cutter.flush()
