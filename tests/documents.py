"""What a test needs to run a document: its blocks of code, and the shell of somebody who types them."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

BLOCK: Final = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
# Of the test run and of the `make` it was started by; a reader has none of them.
OURS: Final = ("PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "ARGS")


def code_blocks(document: Path) -> list[tuple[str, str]]:
    """Return language and text of every fenced block that names a language."""
    return [(found[1], found[2]) for found in BLOCK.finditer(document.read_text())]


def environment() -> dict[str, str]:
    """Return the environment of a shell beside this test run; nothing goes through a proxy."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and name not in OURS}
    return kept | {"PYTHONPATH": ""}


def run(
    command: Sequence[str], folder: Path, more: Mapping[str, str] | None = None, *, typed: str = "", limit_s: float = 60
) -> str:
    """Return what a command prints, given `more` of the environment and what is typed to it; it must succeed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment() | dict(more or {}),
        input=typed,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_shell(
    script: str, folder: Path, more: Mapping[str, str] | None = None, *, typed: str = "", limit_s: float = 60
) -> str:
    """Return what a script prints; each of its commands must succeed. A failure shows them as they were run."""
    command = ["bash", "-eux", "-o", "pipefail", "-c", script]
    return run(command, folder, more, typed=typed, limit_s=limit_s)
