"""Time zones for tests of "today"."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

KAMCHATKA: Final = "Asia/Kamchatka"
ANCHORAGE: Final = "America/Anchorage"


def zone_away_from_midnight() -> str:
    """Return a zone in which a day neither ends nor begins for hours."""
    return ANCHORAGE if 10 <= datetime.now(UTC).hour < 14 else KAMCHATKA
