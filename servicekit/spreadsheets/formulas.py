"""Escapes texts that a spreadsheet would take for formulas (OWASP: CSV injection)."""

from __future__ import annotations

import re
from typing import Final

# A cell begins at its start and, for who reads the file with other separators or quotes than ours, behind each of them.
_FORMULA: Final = re.compile('(?:\\A|(?<=[,;|"\\n\\r\\t])) *(?=[=+\\-@\\t\\r＝＋－＠])')


def without_formulas(text: str) -> str:
    """Return the text with an apostrophe before everything that could begin a formula; only for cells of text."""
    return _FORMULA.sub(lambda begin: f"'{begin[0]}", text)
