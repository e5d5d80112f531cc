"""docs/security.md is a table of all 75 items, and what it claims can be run."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from tools.stack.home import REPOSITORY

ITEMS: Final = 75
ENOUGH: Final = 72
VERDICTS: Final = {"pass", "fail", "not applicable"}
# How the page shortens paths.
FOLDERS: Final = {
    "gateway/": "services/gateway/tests/",
    "auth/": "services/auth/tests/",
    "router/": "services/router/tests/",
    "usage/": "services/usage/tests/",
    "integration/": "tests/integration/",
    "compat/": "tests/compat/",
    "tools/": "tools/tests/",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the table."""

    number: int
    verdict: str
    how: str
    tests: tuple[str, ...]


@cache
def items() -> tuple[Item, ...]:
    """Return the rows of the table."""
    found = []
    for line in (REPOSITORY / "docs" / "security.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0].isdecimal():
            number, _, verdict, how, tests = cells
            found.append(Item(int(number), verdict, how, tuple(re.findall("`([^`]+)`", tests))))
    return tuple(found)


def test_every_item_is_there_once_and_in_order() -> None:
    """1 to 75, each with one of three verdicts."""
    assert [item.number for item in items()] == list(range(1, ITEMS + 1))
    assert {item.verdict for item in items()} <= VERDICTS


def test_enough_items_pass_and_the_others_say_why() -> None:
    """At least 72; a fail or an item that does not apply has its reason."""
    others = [item for item in items() if item.verdict != "pass"]

    assert ITEMS - len(others) >= ENOUGH
    assert all(len(item.how) > 20 for item in others)


def test_every_test_that_is_named_exists() -> None:
    """And every item names one."""
    missing = [(item.number, test) for item in items() for test in item.tests if not exists(test)]

    assert missing == []
    assert all(item.tests for item in items())


def exists(named: str) -> bool:
    """Tell whether a test is where the page says."""
    path, _, test = named.partition("::")
    for short, folder in FOLDERS.items():
        if path.startswith(short):
            path = folder + path.removeprefix(short)
            break
    return test in names_in(path)


@cache
def names_in(path: str) -> frozenset[str]:
    """Return the names of the tests in a file; none when there is no such file."""
    file = REPOSITORY / path
    if not file.is_file():
        return frozenset()
    functions = (
        node
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return frozenset(node.name for node in functions if node.name.startswith("test_"))
