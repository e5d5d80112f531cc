"""Amounts of roubles as people type them."""

from __future__ import annotations

import click
import pytest

from razvilka_cli.actions.managing import micro_roubles


@pytest.mark.parametrize(("typed", "micro_rub"), [("1500.00", 1_500_000_000), ("0,000001", 1)])
def test_an_amount_is_read_to_its_last_micro_rouble(typed: str, micro_rub: int) -> None:
    """With a point or a comma."""
    assert micro_roubles(typed) == micro_rub


@pytest.mark.parametrize("typed", ["", "much", "-1", "0", "0.0000001", "NaN", "inf", "1e999999", "1e6000", "1e-999999"])
def test_what_is_no_amount_is_refused_in_words(typed: str) -> None:
    """Also what no decimal can hold."""
    with pytest.raises(click.UsageError, match="is no amount of roubles"):
        micro_roubles(typed)
