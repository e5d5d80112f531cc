"""Register the fixtures that every room's tests use."""

pytest_plugins = [
    "servicekit.testing.plugin",
    "emulator.pytest_plugin",
    "tools.stack.pytest_plugin",
    "tests.oauth_kit.plugin",
]
