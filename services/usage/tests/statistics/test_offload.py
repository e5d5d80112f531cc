"""What is done with many rows, and where."""

from __future__ import annotations

import threading

from services.usage.statistics.offload import MOST_AT_ONCE, offload


async def test_many_rows_are_worked_on_in_a_thread() -> None:
    """The service that books requests has one event loop; a few rows are not worth a thread."""
    assert await offload(MOST_AT_ONCE, threading.get_ident) == threading.get_ident()
    assert await offload(MOST_AT_ONCE + 1, threading.get_ident) != threading.get_ident()
