"""Deltas from partial texts that each repeat the whole answer so far, and may revise it."""

from __future__ import annotations

from typing import Final

# Below it nothing joins what follows, combining marks aside: those are never waited for, or each letter would be.
_FIRST_JOINER: Final = "\u200d"


class CumulativeText:
    """Turns cumulative texts into deltas. Sent text cannot be recalled, so rewrites are waited out."""

    __slots__ = ("_hold_back", "rewrites", "sent")

    def __init__(self, hold_back: int = 0) -> None:
        self.sent = ""
        self.rewrites = 0
        self._hold_back = hold_back

    def partial(self, text: str) -> str:
        """Return what may be shown of a text that will go on; nothing while it contradicts what is out."""
        if not text.startswith(self.sent):
            # A shorter text that agrees is no rewrite: it was held back by us, or the provider stutters.
            if not self.sent.startswith(text):
                self.rewrites += 1
            return ""
        return self._emit(text, max(len(self.sent), _whole_graphemes(text, len(text) - self._hold_back)))

    def final(self, text: str) -> str:
        """Return the rest: all that follows what is out, or what the last text has beyond their common beginning."""
        if text.startswith(self.sent):
            return self._emit(text, len(text))
        self.rewrites += 1
        common = _common_prefix(self.sent, text)
        self.sent = text
        return text[common:]

    def in_place_of(self, text: str) -> str:
        """Return the rest of a text that a filter put in the place of the answer: nothing where that was shown."""
        if text.startswith(self.sent):
            return self._emit(text, len(text))
        self.rewrites += 1
        return ""

    def _emit(self, text: str, end: int) -> str:
        fresh = text[len(self.sent) : end]
        if fresh:
            self.sent = text[:end]
        return fresh


def _common_prefix(one: str, other: str) -> int:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length


def _whole_graphemes(text: str, end: int) -> int:
    """Return the largest cut <= `end` that does not part an emoji from what may still join it."""
    while end > 0 and text[end - 1] >= _FIRST_JOINER and _may_join(text[end - 1]):
        end -= 1
    return max(0, end)


def _may_join(character: str) -> bool:
    """Tell whether the next text may extend this character: emoji, flags, modifiers and the joiner itself."""
    code = ord(character)
    return code >= 0x1F000 or character == _FIRST_JOINER or 0xFE00 <= code <= 0xFE0F or 0x2600 <= code <= 0x27BF
