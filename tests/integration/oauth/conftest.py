"""Waiting for what reaches every gateway within seconds."""

import time
from collections.abc import Callable
from typing import Any

import pytest

Eventually = Callable[..., float]


@pytest.fixture
def eventually() -> Eventually:
    """Return a function that waits until something is true and says how many seconds that took.

    How soon it must be is measured in `test_revocation.py`, more than once: a busy machine may stand still.
    """

    def wait(is_true: Callable[[], Any], *, within_s: float = 60.0) -> float:
        began = time.monotonic()
        while not is_true():
            waited = time.monotonic() - began
            assert waited < within_s, f"not true after {within_s} s"
            time.sleep(0.02)
        return time.monotonic() - began

    return wait
