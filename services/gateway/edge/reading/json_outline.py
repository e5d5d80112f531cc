"""A JSON text without the content of its long strings: what can be counted, bounded and compared at memory speed.

It is made piece by piece, so that a body of megabytes never holds the event loop for longer than one piece takes.
"""

from __future__ import annotations

import codecs
from array import array
from functools import partial
from itertools import accumulate
from typing import Final

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.edge.reading.body import BodyLimits
from services.gateway.edge.reading.heavy_step import heavy_step

PIECE: Final = 64 * 1024
# Longer strings are no names that matter, however they are escaped.
_LONGEST_NAME: Final = 192
# Stands for a longer one. No name of valid JSON has a control character, so it is no other's.
_LONG: Final = b"\x03%d"
_STRUCTURE: Final = b"[]{},"
_DROP: Final = bytes(code for code in range(256) if code not in _STRUCTURE)
# Signed bytes: an opening bracket is one level down, a closing one up.
_STEP: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")


async def outline_of(body: bytes, limits: BodyLimits) -> bytes:
    """Return the names and the structure of a body, once it is known to be within the bounds.

    Raises:
        InvalidRequest: nested too deeply, too many elements, or not UTF-8.
    """
    if len(body) <= PIECE:
        _check_small(body, limits)
        return body
    outline = Outline(limits)
    for start in range(0, len(body), PIECE):
        await heavy_step(partial(outline.feed, body[start : start + PIECE]))
    return outline.text


def _check_small(body: bytes, limits: BodyLimits) -> None:
    opening = body.count(b"[") + body.count(b"{")
    if opening > limits.depth or opening + body.count(b",") > limits.elements:
        Outline(limits).feed(body)


class Outline:
    """Counts while it reads; refuses as soon as there is too much."""

    def __init__(self, limits: BodyLimits) -> None:
        self._limits = limits
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._parts: list[bytes] = []
        self._held = b""
        self._in_string = False
        # Of the string that the last piece ended in: what it has so far, or that it was too long already.
        self._open = b""
        self._is_dropped = False
        self._depth = self._elements = self._quotes = self._long = self._read = 0

    @property
    def text(self) -> bytes:
        """The outline of what is whole so far, as JSON in which two escapes are single control characters."""
        return b"".join(self._parts)

    def feed(self, piece: bytes) -> None:
        """Read a piece.

        Raises:
            InvalidRequest: what was read so far is too much.
        """
        self._check_utf8(piece)
        segments = self._without_escapes(piece).split(b'"')
        outside = segments[self._in_string :: 2]
        self._quotes += len(segments) - 1
        self._count(b"".join(outside).translate(None, _DROP))
        self._parts.append(self._shortened(segments))
        self._in_string ^= len(segments) % 2 == 0

    def _check_utf8(self, piece: bytes) -> None:
        try:
            self._utf8.decode(piece)
        except UnicodeDecodeError as exc:
            problem = f"The body is not valid JSON: invalid UTF-8 at byte {self._read + exc.start}."
            raise InvalidRequest(ErrorReason.INVALID_REQUEST, problem, param="body") from None
        self._read += len(piece)

    def _without_escapes(self, piece: bytes) -> bytes:
        data = self._held + piece
        ends_within = (len(data) - len(data.rstrip(b"\\"))) % 2
        self._held = data[len(data) - ends_within :]
        # Valid JSON has no control characters in strings: names that differ go on differing.
        return data[: len(data) - ends_within].replace(b"\\\\", b"\x01").replace(b'\\"', b"\x02")

    def _count(self, structure: bytes) -> None:
        self._elements += len(structure) - structure.count(b"]") - structure.count(b"}")
        # An element is at most a name and a text: four quotes.
        if max(self._elements, self._quotes // 4) > self._limits.elements:
            raise _refused(f"The JSON body has more than {self._limits.elements} elements.")
        steps = array("b", structure.replace(b",", b"").translate(_STEP))
        levels = list(accumulate(steps, initial=self._depth))
        self._depth = levels[-1]
        if max(levels) > self._limits.depth:
            raise _refused(f"The JSON body is nested deeper than {self._limits.depth} levels.")

    def _shortened(self, segments: list[bytes]) -> bytes:
        """Return the segments without the content of long strings.

        A string that goes on in the next piece waits for it: cut anywhere, half a character or half an escape is
        nothing that can be read.
        """
        kept = list(segments)
        for at in range(not self._in_string, len(kept), 2):
            kept[at] = self._string(kept[at], is_whole=at < len(kept) - 1)
        return b'"'.join(kept)

    def _string(self, text: bytes, *, is_whole: bool) -> bytes:
        text, self._open = self._open + text, b""
        if self._is_dropped:
            text = b""
        elif len(text) > _LONGEST_NAME:
            self._long += 1
            text = _LONG % self._long
            self._is_dropped = True
        elif not is_whole:
            text, self._open = b"", text
        self._is_dropped = self._is_dropped and not is_whole
        return text


def _refused(text: str) -> InvalidRequest:
    return InvalidRequest(ErrorReason.INVALID_REQUEST, text, param="body")
