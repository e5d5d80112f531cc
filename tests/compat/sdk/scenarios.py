"""Programs of scenarios: each runs in an environment of its SDK's own, once, and says how every scenario went.

A scenario is a function `can_...` of the program; its name is read without importing it, since the SDK is not installed
here.
"""

import ast
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

PROGRAMS: Final = Path(__file__).parent / "programs"
REPOSITORY: Final = Path(__file__).parents[3]
ENVIRONMENTS: Final = REPOSITORY / ".venv" / "sdks"
# Where a package index answers, an environment takes seconds; where none does, pip gives up by itself.
INSTALL_S: Final = 600
RUN_S: Final = 300


@dataclass(frozen=True, slots=True)
class Sdk:
    """A package to try, the program that does it, and what else the program needs."""

    package: str
    program: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a run said: None or a traceback for each scenario; for each public name "called", a reason, or nothing."""

    scenarios: dict[str, str | None]
    surface: dict[str, str]


GIGACHAT: Final = Sdk("gigachat", "for_gigachat")
YANDEX: Final = Sdk("yandex-ai-studio-sdk", "for_yandex", ("pydantic", "langchain-core", "pyarrow"))


def names(sdk: Sdk) -> list[str]:
    """Return the scenarios of a program in their order."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in sorted((PROGRAMS / sdk.program).glob("*.py"))]
    functions = (
        node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return [function.name for function in functions if function.name.startswith("can_")]


def environment(sdk: Sdk) -> Path:
    """Return the Python of an environment with the newest version of the package; skip when it can't be made."""
    folder = ENVIRONMENTS / sdk.package
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--upgrade", sdk.package, *sdk.needs]
    done = subprocess.run(install, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode != 0:
        pytest.skip(f"{sdk.package} can't be installed here: {done.stderr.strip().splitlines()[-1]}")
    return python


@cache
def run(sdk: Sdk, addresses: str) -> Report:
    """Run the program, once; `addresses` is the JSON that says where the emulator is."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "LANG")}
    command = [str(environment(sdk)), "-m", sdk.program, addresses]
    done = subprocess.run(command, cwd=PROGRAMS, capture_output=True, text=True, timeout=RUN_S, env=kept, check=False)
    assert done.returncode == 0, done.stderr
    return Report(**json.loads(done.stdout.splitlines()[-1]))
