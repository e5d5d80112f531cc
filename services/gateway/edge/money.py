"""Amounts as the API writes and reads them."""

from __future__ import annotations

import re
from typing import Any, Final

MICRO: Final = 1_000_000
# The most that the API takes of one amount: a thousand million roubles.
MOST_MICRO_RUB: Final = 10**15
# Ten places before the point hold that; micro-roubles are six behind it.
_ROUBLES: Final = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,6}))?")


def roubles(micro_rub: int) -> str:
    """Return micro-roubles as decimal roubles, exactly; a difference may be negative."""
    sign, amount = ("-", -micro_rub) if micro_rub < 0 else ("", micro_rub)
    return f"{sign}{amount // MICRO}.{amount % MICRO:06d}"


def money(name: str, micro_rub: int) -> dict[str, Any]:
    """Return an amount as two fields: `<name>_rub`, a decimal string, and `<name>_micro_rub`; both are exact."""
    return {f"{name}_rub": roubles(micro_rub), f"{name}_micro_rub": micro_rub}


def micro_rub_of(text: str) -> int | None:
    """Return decimal roubles such as "1500.50" in micro-roubles; None: that is no amount, or one too large."""
    found = _ROUBLES.fullmatch(text)
    if found is None:
        return None
    micro_rub = int(found[1]) * MICRO + int((found[2] or "").ljust(6, "0"))
    return micro_rub if micro_rub <= MOST_MICRO_RUB else None
