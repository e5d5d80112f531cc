"""Detects, piece by piece, when a streamed JSON text is complete."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from services.router.providers import failures

_SIGNS: Final = re.compile(r"\\.|[\"{}\[\]\\]", re.DOTALL)
# Of what is neither an object nor a list: a number, a word, a short text.
_SHORT: Final = 64


class JsonEnd:
    """Tracks the nesting of brackets."""

    __slots__ = ("_depth", "_has_brackets", "_in_text", "_is_escaped", "_short")

    def __init__(self) -> None:
        self._depth = 0
        self._has_brackets = self._in_text = self._is_escaped = False
        self._short = ""

    def feed(self, piece: str) -> None:
        """Read a piece."""
        if len(self._short) <= _SHORT:
            self._short += piece[: _SHORT + 1]
        # The piece before ended in the middle of an escape.
        signs = _SIGNS.findall(piece[1:] if self._is_escaped else piece)
        self._is_escaped = self._is_escaped and not piece
        for sign in signs:
            if sign == "\\":
                self._is_escaped = True
            elif sign == '"':
                self._in_text = not self._in_text
            elif len(sign) == 1 and not self._in_text:
                self._has_brackets = True
                self._depth += 1 if sign in "{[" else -1

    @property
    def is_reached(self) -> bool:
        """Whether the text is whole so far."""
        if self._has_brackets:
            return self._depth == 0
        if len(self._short) > _SHORT:
            return False
        try:
            msgspec.json.decode(self._short, type=msgspec.Raw)
        except failures.UNREADABLE:
            return False
        return True
