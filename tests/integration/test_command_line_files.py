"""`razvilka` against the running suite: what leaves files, what is on this machine only, and that no command is left.

The other commands are in `test_command_line.py`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import openpyxl
import pypdf
import pytest
from click.testing import CliRunner, Result

from razvilka_cli import main
from tests.integration.books import Books
from tests.integration.caller import ask
from tests.oauth_kit.house import House
from tests.oauth_kit.people import seed_key
from tools.stack.running_stack import RunningStack

pytestmark = pytest.mark.usefixtures("cli_home")

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def key(house: House) -> str:
    """The key of somebody who has asked one model."""
    person = house.person()
    made = seed_key(house.stack.auth, person, "models:read", "completions:write", "usage:read")
    assert ask(house.url, made, "Где север? [[tokens:7]]", model="gigachat", max_tokens=50).status == 200
    Books(house.stack).wait_for_rows(person.user_id)
    return made


def run(*arguments: str, status: int = 0, **environment: str) -> Result:
    """Run the program."""
    result = CliRunner().invoke(main, list(arguments), env=environment)
    assert result.exit_code == status, result.output
    return result


def test_a_report_is_ordered_waited_for_and_saved(stack: RunningStack, key: str, tmp_path: Path) -> None:
    """As a document and as a workbook, each of which opens and names the model."""
    given: dict[str, Any] = {"RAZVILKA_URL": stack.url, "RAZVILKA_API_KEY": key}
    run("report", "--period", "today", "-o", str(tmp_path / "today.pdf"), **given)
    run("report", "--period", "today", "--format", "xlsx", "-o", str(tmp_path / "today.xlsx"), **given)

    document = pypdf.PdfReader(io.BytesIO((tmp_path / "today.pdf").read_bytes()))
    book = openpyxl.load_workbook(tmp_path / "today.xlsx")
    cells = " ".join(str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row)
    assert "gigachat" in "".join(page.extract_text() for page in document.pages)
    assert "gigachat" in cells


def test_profiles_are_set_used_and_deleted(stack: RunningStack, key: str) -> None:
    """A profile names the gateway, so that nothing else has to."""
    run("profiles", "set", "work", "--url", stack.url)
    listed = run("profiles", "list")
    used = run("--profile", "work", "--key", key, "models", "--json")
    run("profiles", "delete", "work")

    assert "work" in listed.stdout
    assert stack.url in listed.stdout
    assert "gigachat" in used.stdout
    assert "work" not in run("profiles", "list").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_completion(shell: str) -> None:
    """The script names the program."""
    assert "_RAZVILKA_COMPLETE" in run("completion", shell).stdout


def commands(group: click.Group, *names: str) -> Iterator[str]:
    """Return every command that can be typed, without groups of them."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found: Any = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from commands(found, *names, name)
        else:
            yield " ".join((*names, name))


def test_no_command_is_without_a_test_against_the_suite() -> None:
    """Each is typed in one of the files; a new one fails here until it is."""
    files = (*HERE.glob("test_command_line*.py"), HERE.parents[1] / "razvilka_cli" / "tests" / "test_reconcile.py")
    typed = " ".join(re.sub(r'", "', " ", file.read_text("utf-8")) for file in files)

    untried = [command for command in commands(main) if f'"{command}' not in typed and f" {command}" not in typed]

    assert untried == []
