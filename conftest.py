"""Register the fixtures that every room's tests use."""

import os

from tests.stack_fixtures import spans, stack_environment

__all__ = ["spans", "stack_environment"]

# Services that a test starts as processes are on one machine, with the tests' own stores.
os.environ.setdefault("RAZVILKA_PROFILE", "local")

pytest_plugins = [
    "tools.testing.plugin",
    "emulator.pytest_plugin",
    "tools.stack.pytest_plugin",
    "tests.oauth_kit.plugin",
]
