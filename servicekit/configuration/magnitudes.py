"""Upper bounds of numbers in settings: an absurd one stops the start instead of failing later where it is used."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from pydantic_settings import BaseSettings

from servicekit.configuration.variables import Variable

# By the unit in which a name ends. A hundred years are for ever, and still before the end of the calendar; gRPC and
# Redis count milliseconds and bytes in 31 bits.
LARGEST: Final = {
    "MS": 86_400_000,
    "S": 100 * 366 * 86_400,
    "HOURS": 100 * 366 * 24,
    "DAYS": 100 * 366,
    "MONTHS": 100 * 12,
    "KB": 2**21 - 1,
    "MB": 2**11 - 1,
}
LARGEST_OF_ALL: Final = 2**53


def magnitude_faults(made: BaseSettings, variables: list[Variable]) -> Iterator[str]:
    """Yield a line for each number that is larger than its unit allows, or no number."""
    for variable in variables:
        value: Any = made
        for name in variable.path:
            value = getattr(value, name)
        largest = LARGEST.get(variable.name.rpartition("_")[2], LARGEST_OF_ALL)
        if isinstance(value, int | float) and not -largest <= value <= largest:
            what = "a finite number" if not math.isfinite(value) else f"at most {largest}"
            yield f"{variable.name}: must be {what}"
