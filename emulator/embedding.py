"""Toy embeddings: the same text has the same unit vector, texts that share words are closer."""

import math
import zlib
from functools import lru_cache

from emulator.tokenizer import pieces


@lru_cache(maxsize=512)
def vector(text: str, size: int) -> list[float]:
    """Return a unit vector of the given size."""
    sums = [0.0] * size
    for piece in pieces(text.lower()) or [""]:
        state = zlib.crc32(piece.encode())
        for place in range(size):
            state = (state * 1103515245 + 12345) & 0x7FFFFFFF
            sums[place] += (state >> 8) / 0x400000 - 1.0
    norm = math.sqrt(sum(number * number for number in sums)) or 1.0
    return [round(number / norm, 8) for number in sums]
