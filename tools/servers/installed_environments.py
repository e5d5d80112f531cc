"""Where programs of others are installed: a folder each below `.venv/peers`, made from their packages, kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ENVIRONMENTS: Final = Path(sys.prefix) / "peers"
# Where a package index answers, this takes seconds to a minute; where none does, the client gives up by itself.
INSTALL_S: Final = 400


class NotInstalledError(Exception):
    """A program cannot be had here; the text says why."""


def kept(**more: str) -> dict[str, str]:
    """Return the environment for a program that is not ours: nothing of our Python's."""
    names = ("PATH", "HOME", "TMPDIR", "LANG")
    return {name: os.environ[name] for name in names if name in os.environ} | more


def python_environment(name: str, *packages: str) -> Path:
    """Return the `bin` of a virtual environment with the newest versions of the packages that fit together.

    Raises:
        NotInstalledError: no index answers, or nothing fits.
    """
    folder = ENVIRONMENTS / name
    binaries = folder / "bin"
    if not (binaries / "python").exists():
        _run([sys.executable, "-m", "venv", str(folder)], folder.parent)
    if not (folder / "ready").exists():
        _run([*_installer(binaries / "python"), *packages], folder)
        (folder / "ready").touch()
    return binaries


def node_environment(name: str, package: str, overrides: dict[str, str]) -> Path:
    """Return the `node_modules` of a folder with the newest version of an npm package.

    Raises:
        NotInstalledError: there is no Node.js or no npm, or no registry answers.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise NotInstalledError("Node.js with npm is not installed")
    folder = ENVIRONMENTS / name
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "ready").exists():
        wanted = {"private": True, "dependencies": {package: "latest"}, "overrides": overrides}
        (folder / "package.json").write_text(json.dumps(wanted))
        _run([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"], folder)
        (folder / "ready").touch()
    return folder / "node_modules"


def forget() -> None:
    """Remove what is installed, so that the next run takes today's newest."""
    shutil.rmtree(ENVIRONMENTS, ignore_errors=True)


def python_version(binaries: Path, package: str) -> str:
    """Return the installed version of a package."""
    code = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    command = [str(binaries / "python"), "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def node_version(modules: Path, package: str) -> str:
    """Return the installed version of an npm package."""
    return str(json.loads((modules / package / "package.json").read_text())["version"])


def _installer(python: Path) -> list[str]:
    uv = Path(sys.prefix) / "bin" / "uv"
    if uv.exists():
        return [str(uv), "pip", "install", "--quiet", "--python", str(python)]
    return [str(python), "-m", "pip", "install", "--quiet"]


def _run(command: list[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except subprocess.TimeoutExpired as slow:
        raise NotInstalledError(f"installing took longer than {INSTALL_S} s") from slow
    if done.returncode != 0:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise NotInstalledError(lines[-1].strip() if lines else f"{command[0]} failed")
