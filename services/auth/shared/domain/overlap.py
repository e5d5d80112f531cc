"""How long a replaced secret keeps working."""

from __future__ import annotations

from typing import Final

from servicekit.errors import invalid_parameter

# Longer than a month, the old one was not rotated but doubled.
MAX_OVERLAP_S: Final = 30 * 86_400


def check_overlap(overlap_s: int) -> None:
    """Refuse an overlap out of bounds.

    Raises:
        InvalidRequest: it is.
    """
    if not 0 <= overlap_s <= MAX_OVERLAP_S:
        raise invalid_parameter("overlap_s", f"The overlap must be 0 to {MAX_OVERLAP_S} seconds.")
