"""Fixtures of tests of what goes on beside 1.0."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrate.tests.following.following_kit import KEYS, USERS
from migrate.tests.old_database import WHEN, make, requests


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a database of 1.0 with a row that waits."""
    rows = [*requests(20), ("bad", "user-1", "gigachat", "GigaChat", 1, 2, -1.0, WHEN)]
    return make(tmp_path / "old.db", users=USERS, api_keys=KEYS, usage=rows)
