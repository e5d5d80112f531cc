"""Wait for what happens in other processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
TRIES = 4


def wait_until(read: Callable[[], T], is_right: Callable[[T], Any] = bool, *, within_s: float = 60.0) -> T:
    """Return what `read` returns as soon as it is right.

    Raises:
        TimeoutError: with what was read last.
    """
    give_up_at = time.monotonic() + within_s
    while not is_right(found := read()):
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"after {within_s} s it is still {found!r}")
        time.sleep(0.05)
    return found


def measured(measure: Callable[[], T], is_quick: Callable[[T], bool]) -> T:
    """Return the first measure that is quick, else the last of a few.

    A busy machine stands still once in a while and makes one of them long; what is slow by itself is so every time.
    """
    for _ in range(TRIES - 1):
        if is_quick(found := measure()):
            return found
    return measure()
