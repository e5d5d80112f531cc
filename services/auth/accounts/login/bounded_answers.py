"""Limits the size of other servers' answers while they are read and decompressed."""

from __future__ import annotations

import sys
from typing import Any, Final

MAX_ANSWER: Final = 1024 * 1024
# For the headers of requests: what is packed all the same is refused.
UNPACKED: Final = {"Accept-Encoding": "identity"}


async def bounded(response: Any) -> None:
    """Read an answer; a hook of httpx and of its successor, which call it before they read.

    Raises:
        ValueError: it is longer than any honest one, or packed.
    """
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise ValueError("the answer is packed")
    coming, content = response.stream, bytearray()
    try:
        async for piece in coming:
            content += piece
            if len(content) > MAX_ANSWER:
                raise ValueError("the answer is too long")
    finally:
        await coming.aclose()
    library = sys.modules[type(response).__module__.partition(".")[0]]
    response.stream = library.ByteStream(bytes(content))
