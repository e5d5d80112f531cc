"""Register the fixtures that every room's tests use."""

from tests.stack_fixtures import spans, stack_environment

__all__ = ["spans", "stack_environment"]

pytest_plugins = [
    "tools.testing.plugin",
    "emulator.pytest_plugin",
    "tools.stack.pytest_plugin",
    "tests.oauth_kit.plugin",
]
