"""docs/migration/guide.md is followed literally, its commands in their order; the Russian one has the same."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from migrate.__main__ import main
from servicekit.trust import jwt
from tests.compat.release_1_0.moved import written
from tests.documents import code_blocks, run_shell
from tests.stack_fixtures import LEGACY_JWT_SECRET
from tools.settings_catalog import SETTINGS, variables_of
from tools.stack.home import REPOSITORY
from tools.stack.running_stack import RunningStack

FOLDER: Final = REPOSITORY / "docs" / "migration"
GUIDES: Final = (FOLDER / "guide.md", FOLDER / "guide.ru.md")
# `make migration-guide` types the guide into a shell, contract and all. In the suite the same commands are run one by
# one, the tool's within this process, and test_exchanges.py has done what `make compat-1.0` does.
IS_WHOLE: Final = os.environ.get("RAZVILKA_WHOLE_GUIDE") == "1"
HOLDS_CONTRACT: Final = re.compile(r"^COMPAT_URL=.* make compat-1\.0\n", re.MULTILINE)
TOOL: Final = "razvilka-migrate "
OR_ELSE: Final = " || "
PROMISES: Final = (
    "GO",
    "the new token works",
    "the old one does not",
    "2 mails queued now",
    "taken back: 86 requests",
)
LIMIT_S: Final = 3600 if IS_WHOLE else 600


def blocks(document: Path) -> list[str]:
    """Return the commands."""
    return [text for language, text in code_blocks(document) if language == "sh"]


@pytest.fixture
def given(stack: RunningStack, tmp_path: Path) -> dict[str, str]:
    """Return the values that a reader states: an old database, its key and a token of it, the running suite."""
    old = written(tmp_path)
    claims = {"sub": old.payer.id, "iat": int(time.time()), "exp": int(time.time()) + 3600}
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "RAZVILKA_HOME": str(stack.parts.home.root),
        "OLD_DB": str(old.source),
        "OLD_URL": stack.url,
        "OLD_KEY": old.payer.key,
        "KEPT": old.payer.key,
        "OLD_JWT": jwt.sign(claims, jwt.shared_secret(LEGACY_JWT_SECRET), typ="JWT"),
        "NEW_URL": stack.url,
        "ZONE": "Europe/Moscow",
        "REPORT": str(tmp_path / "report"),
    }


@pytest.mark.timeout(LIMIT_S)
def test_the_guide_is_followed_literally(
    stack: RunningStack, given: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the first look to the way back; what each step promises is said."""
    if IS_WHOLE:
        said = _typed(_whole_script(stack), given)
    else:
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        said = "".join(_followed(command, given, capsys) for command in _commands())

    for promise in PROMISES:
        assert promise in said, said


def _whole_script(stack: RunningStack) -> str:
    # No release 1.0 runs here: the suite stands in for it, and knows a key of its own before the move.
    commands = "".join(blocks(GUIDES[0]))
    return HOLDS_CONTRACT.sub(lambda before: f"OLD_KEY={stack.api_key}; {before[0]}OLD_KEY=$KEPT\n", commands, count=1)


def _commands() -> list[str]:
    """Return the commands: each of the tool by itself, what stands between two of them together."""
    lines = HOLDS_CONTRACT.sub("", "".join(blocks(GUIDES[0]))).replace("\\\n", " ").splitlines()
    found: list[str] = []
    for line in lines:
        if found and not line.startswith(TOOL) and not found[-1].startswith(TOOL):
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return found


def _followed(command: str, given: dict[str, str], capsys: pytest.CaptureFixture[str]) -> str:
    if not command.startswith(TOOL):
        return _typed(command, given)
    words, _, otherwise = command.partition(OR_ELSE)
    capsys.readouterr()
    status = main(shlex.split(os.path.expandvars(words))[1:])
    told = capsys.readouterr()
    assert status == 0 or otherwise, f"{command}: {status}\n{told.out}\n{told.err}"
    return told.out


def _typed(script: str, given: dict[str, str]) -> str:
    return run_shell(script, REPOSITORY, given, limit_s=LIMIT_S)


def test_both_languages_have_the_same_commands() -> None:
    assert blocks(GUIDES[0]) == blocks(GUIDES[1])
    assert len(blocks(GUIDES[0])) >= 10


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_what_the_guide_names_exists(guide: Path) -> None:
    """Settings, targets of make, files and headings that are linked to."""
    text = guide.read_text()
    known = {variable for program in SETTINGS for variable in variables_of(program)}
    targets = set(re.findall(r"^([a-z0-9.-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))

    settings = {name.removesuffix("_FILE") for name in re.findall(r"`(AUTH_[A-Z_]+[A-Z])`", text)}
    assert settings - {"AUTH_POSTGRES_DSN"} <= known
    assert set(re.findall(r"make ([a-z]+-[a-z0-9.]+)", text)) <= targets
    for link in re.findall(r"\]\(([^)]+)\)", text):
        path, _, heading = link.partition("#")
        linked = (guide.parent / path).read_text()
        headings = {line.lstrip("# ").lower().replace(" ", "-").replace(".", "") for line in linked.splitlines()}
        assert not heading or heading in headings, link
