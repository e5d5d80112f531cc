"""Fixtures of the tests of the whole suite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.books import Books
from tests.integration.processes import Processes, running_processes
from tests.integration.providers import Providers
from tools.stack.running_stack import RunningStack


@pytest.fixture
def providers(stack: RunningStack) -> Iterator[Providers]:
    """The emulator, healthy before and after."""
    control = Providers(stack.emulator_url)
    control.reset()
    yield control
    control.reset()


@pytest.fixture
def books(stack: RunningStack) -> Books:
    """The books of the suite."""
    return Books(stack)


@pytest.fixture
def processes(stack: RunningStack, tmp_path: Path) -> Iterator[Processes]:
    """A starter of more service processes."""
    with running_processes(stack, tmp_path) as starter:
        yield starter
