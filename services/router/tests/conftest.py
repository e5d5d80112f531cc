"""Fixtures of the router's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from emulator.testing import RunningEmulator
from services.router.tests.adapters import Adapters, open_adapters
from services.router.tests.running_router import Stub, router


@pytest.fixture
async def adapters(emulator: RunningEmulator) -> AsyncIterator[Adapters]:
    """Give one adapter of each kind on the test's emulator."""
    async with open_adapters(emulator) as opened:
        yield opened


@pytest.fixture
async def stub(emulator: RunningEmulator) -> AsyncIterator[Stub]:
    """Give a router with default settings."""
    async with router(emulator) as running_stub:
        yield running_stub
