"""DaySums: what the rows of each day come to, and a checksum over every value of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final, TypeAlias

from migrate.usage_rows.plain_rows import PlainRow
from services.usage.importing.copy_rows import EPOCH, checksum

Day: TypeAlias = tuple[int, ...]
"""Requests, tokens in and out, micro-roubles, and the sum of the rows' checksums."""

# Those before the checksum.
SUMS: Final = 4
_A_DAY: Final = 86_400 * 1_000_000


def day_sums(rows: Iterable[PlainRow]) -> dict[date, Day]:
    """Return the sums of rows by UTC day."""
    days: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for row in rows:
        _, micros, tokens_input, tokens_output, cost_micro_rub, _ = row
        sums = days[micros // _A_DAY]
        sums[0] += 1
        sums[1] += tokens_input
        sums[2] += tokens_output
        sums[3] += cost_micro_rub
        sums[4] += checksum(*row)
    return {EPOCH.date() + timedelta(days=day): tuple(sums) for day, sums in days.items()}
