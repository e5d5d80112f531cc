"""Toy embeddings: the same text has the same unit vector, texts that share words are closer."""

import math
import random
import zlib
from functools import lru_cache

from emulator.toy_model.tokenizer import pieces

# Enough to tell texts apart, few enough that a page of text does not hold up the loop.
_WORDS_USED = 16


@lru_cache(maxsize=512)
def vector(text: str, size: int) -> list[float]:
    """Return a unit vector of the given size."""
    words = list(dict.fromkeys(pieces(text.lower())))[:_WORDS_USED] or [""]
    rows = [_row(word, size) for word in words]
    sums = [sum(column) for column in zip(*rows, strict=True)]
    norm = math.sqrt(sum(number * number for number in sums)) or 1.0
    return [round(number / norm, 8) for number in sums]


@lru_cache(maxsize=2048)
def _row(word: str, size: int) -> list[float]:
    dice = random.Random(zlib.crc32(word.encode()))  # noqa: S311 - deterministic on purpose
    return [dice.random() - 0.5 for _ in range(size)]
