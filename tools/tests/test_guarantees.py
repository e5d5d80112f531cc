"""The pages that promise something name tests that exist: a guarantee without its proof is a wish."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from tools.stack.home import REPOSITORY

PAGES: Final = ("docs/reliability.md", "docs/budgets.md")
ROW: Final = re.compile(r"^\| (.+) \| (.+) \|$", re.MULTILINE)
NAMED: Final = re.compile(r"`(test_\w+|[\w/]+\.py)`")
# Full stops and colons that end a sentence, not those inside of names, numbers and code.
SENTENCE_END: Final = re.compile(r"[.!?](?= [A-Z])")


def guarantees(page: str) -> list[tuple[str, str]]:
    """Return the rows of the first table of a page: what is promised, and what proves it."""
    text = (REPOSITORY / page).read_text()
    table = next(part for part in text.split("\n\n") if part.startswith("| "))
    return ROW.findall(table)[1:]


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Every test function of the repository, and every test file by its path."""
    files = [file for root in ("services", "servicekit", "tests", "tools", "emulator") for file in _tests(root)]
    names = {str(file.relative_to(REPOSITORY)) for file in files}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names.add(node.name)
    return names


def _tests(root: str) -> list[Path]:
    return list((REPOSITORY / root).rglob("test_*.py"))


@pytest.mark.parametrize("page", PAGES)
def test_every_guarantee_names_tests_that_exist(page: str, known: set[str]) -> None:
    """Whoever renames a test renames it in the page."""
    rows = guarantees(page)

    assert len(rows) >= 5
    for promise, proof in rows:
        named = NAMED.findall(proof)
        assert named, promise
        assert set(named) <= known, promise


@pytest.mark.parametrize("page", PAGES)
def test_every_guarantee_is_one_sentence(page: str) -> None:
    """Two sentences are two promises, and one of them has no proof."""
    for promise, _ in guarantees(page):
        assert promise.endswith("."), promise
        assert len(SENTENCE_END.findall(promise)) == 0, promise
