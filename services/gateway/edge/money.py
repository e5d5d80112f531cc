"""Amounts as the API writes them."""

from __future__ import annotations


def roubles(micro_rub: int) -> str:
    """Return micro-roubles as decimal roubles, exactly; a difference may be negative."""
    sign, amount = ("-", -micro_rub) if micro_rub < 0 else ("", micro_rub)
    return f"{sign}{amount // 1_000_000}.{amount % 1_000_000:06d}"
