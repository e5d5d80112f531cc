"""Fixtures of the tests of files and batches."""

from __future__ import annotations

import pytest

from services.router.tests.batches.kit import Room
from tools.testing.plugin import MakeDatabase


@pytest.fixture
async def room(make_database: MakeDatabase) -> Room:
    """Give a room on a database of its own."""
    return Room(await make_database("router"))
