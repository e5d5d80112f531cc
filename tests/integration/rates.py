"""The free tier's minute, and what of a minute's worth comes back while a slow machine asks."""

from __future__ import annotations

import time
from typing import Final

FREE_A_MINUTE: Final = 20


def returned_since(began: float, a_minute: int = FREE_A_MINUTE) -> int:
    """Return how many whole requests time has given back since a moment of the monotonic clock."""
    return int((time.monotonic() - began) * a_minute / 60)
