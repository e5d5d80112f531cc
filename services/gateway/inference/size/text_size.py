"""How large a text can be in tokens, whatever the tokenizer: counts by kind of script, in one pass over its UTF-8.

No tokenizer in use makes more than one token of a letter of basic Latin or Cyrillic, a digit, a blank or an ASCII sign;
of any other character none makes more than one token a byte (they fall back to bytes). That is the bound.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Script(StrEnum):
    """A kind of visible character. OTHER is counted in bytes, all others in characters."""

    CYRILLIC = "cyrillic"
    LATIN = "latin"
    DIGITS = "digits"
    SIGNS = "signs"
    OTHER = "other"


class TextSize(NamedTuple):
    """Counts by script: the size of texts in a row is the sum of theirs."""

    cyrillic: int = 0
    latin: int = 0
    digits: int = 0
    signs: int = 0
    blanks: int = 0
    other: int = 0
    chars: int = 0

    @property
    def token_bound(self) -> int:
        """The most tokens that any tokenizer makes of the text."""
        return self.cyrillic + self.latin + self.digits + self.signs + self.blanks + self.other

    @property
    def main_script(self) -> Script | None:
        """The script that most of the visible text is in; None: nothing is visible."""
        count, script = max(zip(self[:4] + self[5:6], _VISIBLE, strict=True))
        return script if count else None

    def scripts(self, least_share: float) -> list[Script]:
        """Return the scripts that make up at least that share of the visible text, the largest first."""
        counts = sorted(zip(self[:4] + self[5:6], _VISIBLE, strict=True), reverse=True)
        visible = max(1, self.token_bound - self.blanks)
        return [script for count, script in counts if count and count >= least_share * visible]


_VISIBLE: Final = (Script.CYRILLIC, Script.LATIN, Script.DIGITS, Script.SIGNS, Script.OTHER)
# One letter a character: what a first byte of UTF-8 begins; bytes that continue a character are left out.
_CONTINUATION: Final = bytes(range(0x80, 0xC0))


def _kind(byte: int) -> str:
    if byte in (0xD0, 0xD1):
        return "C"
    if byte >= 0x80:
        return "O"
    char = chr(byte)
    if char.isalpha():
        return "L"
    if char.isdigit():
        return "D"
    return "B" if char in " \t\n\r\v\f" else "S"


_KINDS: Final = "".join(map(_kind, range(256))).encode()


def size_of(text: bytes) -> TextSize:
    """Return the size of a text in UTF-8."""
    kinds = text.translate(_KINDS, _CONTINUATION)
    chars, cyrillic, wide = len(kinds), kinds.count(b"C"), kinds.count(b"O")
    blanks, latin, digits = kinds.count(b"B"), kinds.count(b"L"), kinds.count(b"D")
    signs = chars - cyrillic - wide - blanks - latin - digits
    # What is neither ASCII nor basic Cyrillic: all its bytes.
    other = len(text) - 2 * cyrillic - blanks - latin - digits - signs
    return TextSize(cyrillic, latin, digits, signs, blanks, other, chars)
