"""docs/cli.md says what is true."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

import click
import pytest

from razvilka_cli import main
from razvilka_cli.errors import Status

PAGE: Final = Path(__file__).parents[2] / "docs" / "cli.md"
COMMAND: Final = re.compile(r"\brazvilka (?!completion fish)([^|)<#`\n]+)")


def commands() -> list[str]:
    """Return every command of the page's examples."""
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [found.strip() for block in blocks for found in COMMAND.findall(block)]


@pytest.mark.parametrize("command", commands())
def test_every_example_is_a_command(command: str) -> None:
    """Names and options."""
    words = shlex.split(command)
    group: click.Command = main
    while isinstance(group, click.Group):
        with group.make_context("razvilka", list(words)) as context:
            words = [*context._protected_args, *context.args]
            _, found, words = group.resolve_command(context, words)
        assert found is not None
        group = found

    group.make_context("razvilka", list(words)).close()


def test_every_status_is_told() -> None:
    """And no other."""
    told = re.findall(r"^\| (\d+) \|", PAGE.read_text(), re.MULTILINE)

    assert [int(each) for each in told] == [0, *(int(status) for status in Status)]


def test_every_command_is_told() -> None:
    """By its name."""
    with main.make_context("razvilka", ["whoami"]) as context:
        named = main.list_commands(context)

    assert [name for name in named if f"`{name}" not in PAGE.read_text()] == []
