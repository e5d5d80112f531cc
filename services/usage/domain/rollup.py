"""What rollups sum, and the buckets in which they count durations."""

from __future__ import annotations

from typing import Final

from services.usage.domain.record import SUMMED

# 8 % wide: percentiles are at most 4 % off, and 20 ms to 10 min fit into 135 buckets.
BUCKET_GROWTH: Final = 1.08
SUMS: Final = ("requests", *SUMMED)
# A user's day tells so many tags apart; callers choose them, and may choose a new one for each request.
TAGS_A_DAY: Final = 1_000
# A longer tag does not fit into an index beside its user.
MAX_TAG_BYTES: Final = 512
