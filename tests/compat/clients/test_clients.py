"""Every library does with us what its documentation says; the run writes the table of docs/clients.md."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.compat.sdk.scenarios import environment

SWITCH: Final = "RAZVILKA_TEST_CLIENTS"
PROGRAMS: Final = Path(__file__).parent / "programs"
PAGE: Final = Path(__file__).parents[3] / "docs" / "clients.md"
STEPS: Final = ("chat", "stream", "tools", "structured", "embeddings", "models", "wrong_key", "unknown_model")
RUN_S: Final = 300
HEAD: Final = """\
# Client libraries

Written by `make test-clients`: each library in an environment of its own, against the suite on one machine, whose
providers are the emulator. `ok`: it works as the library's documentation has it, with a base URL and a key;
`-`: the library has no such thing, or it is not tried; a number points at what went wrong.

"""


@dataclass(frozen=True, slots=True)
class Library:
    """A library, what is installed for it beside it, and the program that tries it."""

    package: str
    program: str
    more: tuple[str, ...] = ()


LIBRARIES: Final = (
    Library("openai", "openai_python.py"),
    Library("langchain", "langchain_python.py", ("langchain-openai",)),
    Library("llama-index-llms-openai-like", "llama_index_python.py", ("llama-index-embeddings-openai-like",)),
    Library("pydantic-ai-slim", "pydantic_ai_python.py", ("pydantic-ai-slim[openai]",)),
    Library("openai-agents", "openai_agents_python.py"),
    Library("instructor", "instructor_python.py"),
    Library("litellm", "litellm_python.py"),
    Library("llm", "llm_python.py"),
    Library("haystack-ai", "haystack_python.py"),
    Library("dspy", "dspy_python.py"),
)


@pytest.fixture(scope="module")
def table() -> Iterator[dict[str, dict[str, str]]]:
    """Return what is found; it is written when all have run."""
    if not os.environ.get(SWITCH):
        pytest.skip("run by make test-clients")
    found: dict[str, dict[str, str]] = {}
    yield found
    if found:
        PAGE.write_text(HEAD + "\n".join(rows(found)) + "\n", encoding="utf-8")


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.package)
def test_the_library_works_unchanged(stack: Any, table: dict[str, dict[str, str]], library: Library) -> None:
    """All steps that the library has, each as its documentation shows it."""
    python = environment(library.package, *library.more)

    outcome = run(python, library.program, {"RAZVILKA_URL": stack.url, "RAZVILKA_API_KEY": stack.api_key})

    table[f"{library.package} {version(python, library.package)}"] = outcome
    assert {step: problem for step, problem in outcome.items() if problem} == {}


def run(python: Path, program: str, addresses: dict[str, str]) -> dict[str, str]:
    """Run a program; return for each step an empty text, or what went wrong."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "LANG")}
    command = [str(python), str(PROGRAMS / program)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=RUN_S, env={**kept, **addresses}, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def version(python: Path, package: str) -> str:
    """Return the installed version of a package."""
    code = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def rows(found: dict[str, dict[str, str]]) -> Iterator[str]:
    """Yield the lines of the table, and of the notes below it."""
    notes: list[str] = []
    yield f"| library | {' | '.join(step.replace('_', ' ') for step in STEPS)} |"
    yield f"|---|{'---|' * len(STEPS)}"
    for library, outcome in found.items():
        cells = []
        for step in STEPS:
            if outcome.get(step):
                notes.append(f"{library}, {step.replace('_', ' ')}: {' '.join(outcome[step].split())}")
            cells.append(f"[{len(notes)}]" if outcome.get(step) else "ok" if step in outcome else "-")
        yield f"| {library} | {' | '.join(cells)} |"
    for number, note in enumerate(notes, 1):
        yield f"\n{number}. {note}"
