"""Parses server-sent events from arbitrary chunks of bytes, by the WHATWG rules."""

from __future__ import annotations

from services.router.providers import failures
from services.router.providers.transport.lines import LineBuffer

_BOM = b"\xef\xbb\xbf"


class SseDecoder:
    """Assembles bytes into the data of events; names, comments, ids and retry times are skipped.

    No vendor says by an event's name what its data does not say.
    """

    __slots__ = ("_after_cr", "_data", "_limit", "_lines", "_size", "_started")

    def __init__(self, limit: int) -> None:
        self._lines = LineBuffer(limit)
        self._data: list[bytes] = []
        self._size = 0
        self._limit = limit
        self._after_cr = False
        self._started = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the events that `chunk` completes.

        Raises:
            ProviderFailed: a line, or an event of many, is longer than the limit.
        """
        if self._after_cr or b"\r" in chunk:
            chunk = self._line_feeds_only(chunk)
        return self._events(self._lines.feed(chunk))

    def finish(self) -> list[bytes]:
        """Return the event that the end of the body completes; its blank line may be missing."""
        return self._events([*self._lines.finish(), b""])

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        for line in lines:
            if not line:
                if self._data:
                    events.append(b"\n".join(self._data))
                    self._data.clear()
                    self._size = 0
                continue
            if not self._started:
                self._started, line = True, line.removeprefix(_BOM)
            if line.startswith(b"data:"):
                self._add(line[6:] if line[5:6] == b" " else line[5:])
            elif line == b"data":
                self._add(b"")
        return events

    def _add(self, data: bytes) -> None:
        self._data.append(data)
        # Without its blank line an event would grow for as long as its provider sends.
        self._size += len(data) + 1
        if self._size > self._limit:
            raise failures.broken("The provider sent an event that is too long.")

    def _line_feeds_only(self, chunk: bytes) -> bytes:
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_cr = False
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
