"""The `emulator` fixture; load it with `pytest_plugins = ["emulator.pytest_plugin"]`."""

from collections.abc import AsyncIterator

import pytest_asyncio

from emulator.testing import RunningEmulator, running_emulator


@pytest_asyncio.fixture
async def emulator() -> AsyncIterator[RunningEmulator]:
    """Give each test an emulator of its own."""
    async with running_emulator() as running:
        yield running
