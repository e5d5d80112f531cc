"""Retries are a share of the requests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.router.circuits.domain.retry_budget import WINDOW_S, RetryBudget


def test_a_few_retries_are_always_allowed() -> None:
    """With one request a minute a tenth is nothing; so three are granted, and after a minute three again."""
    budget = RetryBudget(0.1, 3)
    granted = 0
    while budget.allows(0.0):
        budget.note_retry(0.0)
        granted += 1

    assert granted == 3
    assert not budget.allows(WINDOW_S / 2)
    assert budget.allows(WINDOW_S + WINDOW_S / 10)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 0.2)), max_size=400))
def test_retries_never_exceed_the_share_or_the_floor(steps: list[tuple[bool, float]]) -> None:
    """Whatever the order of requests and failures within a minute."""
    budget, now, retries = RetryBudget(0.1, 3), 0.0, 0
    for requests, (fails, wait_s) in enumerate(steps, start=1):
        now += wait_s * 0.2
        budget.note_request(now)
        if fails and budget.allows(now):
            budget.note_retry(now)
            retries += 1
        assert retries <= max(3, 0.1 * requests)
