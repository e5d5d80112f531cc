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


@pytest.fixture
def cli_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what `razvilka` keeps; nothing of whoever runs the tests counts."""
    for name in ("RAZVILKA_URL", "RAZVILKA_API_KEY", "RAZVILKA_CLI_PROFILE", "RAZVILKA_MODEL", "RAZVILKA_CLI_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setenv("RAZVILKA_CLI_HOME", str(tmp_path / "kept"))
    return tmp_path / "kept"
