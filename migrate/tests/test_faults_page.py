"""docs/migration/faults.md names tests and codes that there are, the same in both languages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parents[2]
PAGES: Final = [REPOSITORY / "docs" / "migration" / name for name in ("faults.md", "faults.ru.md")]
TEST: Final = re.compile(r"`(test_[a-z0-9_]+)`")
CODE: Final = re.compile(r"`((?:source|report|target|file|no)_[a-z0-9_]+)`")


def text_of(*folders: str) -> str:
    """Return the text of the modules of folders."""
    return "".join(path.read_text() for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))


def test_tests_and_codes_of_the_page_are_there() -> None:
    """A test that was renamed, or a code that is said otherwise, would mislead at night."""
    page = PAGES[0].read_text()
    tests = text_of("migrate/tests", "tests/migration", "servicekit/tests")
    code = text_of("migrate")

    assert len(TEST.findall(page)) > 15
    assert [name for name in TEST.findall(page) if f"def {name}(" not in tests] == []
    assert [name for name in CODE.findall(page) if f'"{name}"' not in code] == []


def test_both_languages_name_the_same() -> None:
    first, second = (page.read_text() for page in PAGES)

    assert (TEST.findall(first), CODE.findall(first)) == (TEST.findall(second), CODE.findall(second))
