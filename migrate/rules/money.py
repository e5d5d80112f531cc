"""Cost: roubles in a binary double, as whole micro-roubles. Never truncated in silence."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from migrate.rules.verdict import Kept, Refused, Repaired, Stored, Text, Verdict

MICRO: Final = Decimal(1_000_000)
# The column is numeric(10,6).
MAX_MICRO_RUB: Final = 9_999_999_999
# What arithmetic with doubles leaves behind the sixth decimal: `0.1 + 0.2`.
NOISE: Final = Decimal("1e-9")
# A rouble's thousands and thirty digits behind the point, exactly: the usual 28 would round before we do.
_EXACT: Final = Context(prec=64)
_NUMBER: Final = re.compile(rb"[0-9]{1,9}(?:\.[0-9]{1,30})?")


def read_cost(value: Stored) -> Verdict[int]:
    """Return a cost in micro-roubles."""
    match value:
        case int():
            return _micro(Decimal(value), "")
        case float():
            if not math.isfinite(value):
                return Refused("cost_not_finite")
            return _micro(Decimal(repr(value)), "")
        case Text() if _NUMBER.fullmatch(value.strip(b" ")):
            return _micro(Decimal(value.strip(b" ").decode()), "number_in_text")
        case None:
            # NaN is kept as NULL by SQLite: a lost number can't be told from an absent one.
            return Refused("cost_missing")
        case _:
            return Refused("cost_not_a_number")


def _micro(roubles: Decimal, rule: str) -> Verdict[int]:
    if roubles < 0:
        return Refused("cost_negative")  # perhaps a refund
    if roubles > MAX_MICRO_RUB:
        return Refused("cost_too_large")
    exact = _EXACT.multiply(roubles, MICRO)
    whole = exact.quantize(Decimal(1), ROUND_HALF_EVEN, _EXACT)
    if whole > MAX_MICRO_RUB:
        return Refused("cost_too_large")
    if exact != whole:
        rule = "binary_noise" if abs(exact - whole) <= NOISE * MICRO else "rounded_half_even"
    return Repaired(int(whole), rule) if rule else Kept(int(whole))
