"""docs/provider-facts.md: every fact has a test that exists, or says that nothing depends on it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[4]
HERE = Path(__file__).parent
PAGE = (REPOSITORY / "docs" / "provider-facts.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| fact")]
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", PAGE)))


@pytest.mark.parametrize("row", ROWS, ids=[row[2:60] for row in ROWS])
def test_every_fact_has_a_test_or_is_not_used(row: str) -> None:
    """A fact that is added without one fails here."""
    assert "::test_" in row or "*not used*" in row


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[test for _, test in NAMED])
def test_every_test_that_is_named_exists(file: str, test: str) -> None:
    """Under the name and in the file that the page says."""
    path = REPOSITORY / file if "/" in file else HERE / file

    assert re.search(rf"^(async )?def {test}\(", path.read_text(), re.MULTILINE), f"{file}::{test}"


def test_every_test_about_facts_is_named() -> None:
    """Those that were written for the page."""
    source = (HERE / "test_provider_facts.py").read_text()

    written = set(re.findall(r"^(?:async )?def (test_\w+)\(", source, re.MULTILINE))

    assert written == {test for file, test in NAMED if file == "test_provider_facts.py"}
