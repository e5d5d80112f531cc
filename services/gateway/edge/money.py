"""Amounts as the API writes them."""

from __future__ import annotations


def roubles(micro_rub: int) -> str:
    """Return micro-roubles as decimal roubles, exactly."""
    return f"{micro_rub // 1_000_000}.{micro_rub % 1_000_000:06d}"
