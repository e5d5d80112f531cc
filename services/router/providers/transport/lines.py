"""Splits arbitrary chunks of bytes into lines. Lines are decoded when complete, so characters may span two chunks."""

from __future__ import annotations

from services.router.providers import failures


class LineBuffer:
    """Assembles bytes into lines, without their LF."""

    __slots__ = ("_limit", "_pieces", "_size")

    def __init__(self, limit: int) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._limit = limit

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that `chunk` completes.

        Raises:
            ProviderFailed: a line is longer than the limit.
        """
        if self._size + len(chunk) > self._limit:
            self._check(chunk)
        lines = chunk.split(b"\n")
        rest = lines.pop()
        if lines and self._pieces:
            self._pieces.append(lines[0])
            lines[0] = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
        if rest:
            self._pieces.append(rest)
            self._size += len(rest)
        return lines

    def _check(self, chunk: bytes) -> None:
        """Look at the lengths only when a line can be too long at all."""
        first, *others = map(len, chunk.split(b"\n"))
        if self._size + first > self._limit or any(length > self._limit for length in others):
            raise failures.broken("The provider sent a line that is too long.")

    def finish(self) -> list[bytes]:
        """Return the last line, whose LF is missing; nothing when there is none."""
        rest = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return [rest] if rest else []
