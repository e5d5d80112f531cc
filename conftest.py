"""Register the fixtures that every room's tests use."""

import os

from hypothesis import settings

from tests.stack_fixtures import spans, stack_environment

__all__ = ["spans", "stack_environment"]

# Services that a test starts as processes are on one machine, with the tests' own stores.
os.environ.setdefault("RAZVILKA_PROFILE", "local")

# No property fails because the machine is busy: what a test may take is pytest's own time-out.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

pytest_plugins = [
    "tools.testing.plugin",
    "emulator.pytest_plugin",
    "tools.stack.pytest_plugin",
    "tests.oauth_kit.plugin",
]
