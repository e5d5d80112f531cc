"""cl100k_base, the tokenizer of OpenAI's embedding models: which bytes stand behind a token.

`cl100k_base.xz` holds the length of each token, one byte each, and behind the lengths the tokens' bytes, in the order
of their numbers. It is made of the table that OpenAI publishes under the MIT licence; a test compares the two by hash.
"""

from __future__ import annotations

import lzma
from array import array
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import accumulate
from typing import Final

SIZE: Final = 100_256


class Vocabulary:
    """Tokens by number, in one piece of memory: a megabyte instead of six."""

    def __init__(self, table: bytes) -> None:
        self._ends = array("I", accumulate(table[:SIZE]))
        self._bytes = table[SIZE:]

    def bytes_of(self, token: int) -> bytes:
        """Return the bytes of a token from 0 to SIZE - 1."""
        return self._bytes[self._ends[token - 1] if token else 0 : self._ends[token]]

    def text_of(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens from 0 to SIZE - 1.

        A client that cuts a long text by tokens may cut through a letter: the half of it is left out.
        """
        return b"".join(map(self.bytes_of, tokens)).decode("utf-8", "ignore")


@cache
def cl100k_base() -> Vocabulary:
    """Return the vocabulary; the first call reads it, in some tens of milliseconds."""
    packed = (files(__package__) / "cl100k_base.xz").read_bytes()
    return Vocabulary(lzma.decompress(packed))
