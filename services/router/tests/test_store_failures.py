"""What counts as a database that cannot be used, for whatever goes on without one."""

from __future__ import annotations

import pytest

from servicekit.postgres import LOST, UNUSABLE


@pytest.mark.parametrize("failure", LOST, ids=lambda failure: failure.__name__)
def test_whatever_says_that_postgres_is_gone_ends_no_task_of_the_router(failure: type[Exception]) -> None:
    """Killed under load, it once ended the task that ends batches: asyncpg says so in more ways than by its errors."""
    assert issubclass(failure, UNUSABLE)
