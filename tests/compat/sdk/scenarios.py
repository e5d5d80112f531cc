"""Programs of scenarios: each runs in an environment of its SDK's own, once, and says how every scenario went.

A scenario is a function `can_...` of the program; its name and docstring are read without importing it, since the SDK
is not installed here.
"""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

HERE: Final = Path(__file__).parent
ENVIRONMENTS: Final = HERE.parents[2] / ".venv" / "sdks"
# Where a package index answers, an environment takes seconds; where none does, pip gives up by itself.
INSTALL_S: Final = 600
RUN_S: Final = 300


def names(program: str) -> list[str]:
    """Return the scenarios of a program in their order."""
    tree = ast.parse((HERE / program).read_text(encoding="utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [function.name for function in functions if function.name.startswith("can_")]


def environment(package: str, *more: str) -> Path:
    """Return the Python of an environment with the newest version of the package; skip when it can't be made."""
    folder = ENVIRONMENTS / package
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--upgrade", package, *more]
    done = subprocess.run(install, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode != 0:
        pytest.skip(f"{package} can't be installed here: {done.stderr.strip().splitlines()[-1]}")
    return python


def run(python: Path, program: str, addresses: dict[str, str]) -> dict[str, str | None]:
    """Run the program; return for each scenario None, or what went wrong."""
    found: dict[str, str | None] = _said_by(python, program, addresses)
    return found


def surface(python: Path, program: str, addresses: dict[str, str]) -> dict[str, bool]:
    """Return each public name of the SDK, and whether a scenario calls it."""
    found: dict[str, bool] = _said_by(python, program, addresses, "surface")
    return found


def _said_by(python: Path, program: str, addresses: dict[str, str], *more: str) -> Any:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "LANG")}
    command = [str(python), str(HERE / program), json.dumps(addresses), *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, env=kept, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
