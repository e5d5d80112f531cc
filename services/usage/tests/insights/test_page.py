"""docs/api/insights.md names each pattern and each piece of advice, with what the code has of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from services.usage.insights.domain.advice import ADVISED
from services.usage.insights.domain.expiry_patterns import CERTAIN
from services.usage.insights.domain.faults import CONTEXT_CONFIDENCE, CUT_CONFIDENCE, STORM_CONFIDENCE
from services.usage.insights.domain.finding import Pattern
from services.usage.insights.domain.patterns import FROM_ROWS, WHEN_ASKED
from services.usage.insights.domain.spending import CACHE_CONFIDENCE, CHEAPER_CONFIDENCE

PAGE: Final = (Path(__file__).parents[4] / "docs" / "api" / "insights.md").read_text(encoding="utf-8")
CONFIDENCE: Final = {
    Pattern.CHEAPER_MODEL: CHEAPER_CONFIDENCE,
    Pattern.CACHEABLE: CACHE_CONFIDENCE,
    Pattern.OVERSIZE_CTX: CONTEXT_CONFIDENCE,
    Pattern.MAX_TOKENS_WASTE: CUT_CONFIDENCE,
    Pattern.DEPRECATED: CERTAIN.confidence,
    Pattern.IDLE_KEY: CERTAIN.confidence,
    Pattern.RETRY_STORM: STORM_CONFIDENCE,
}


def last_cells(head: str) -> dict[str, str]:
    """Return the last cell of each row of the table with this head, by the names in the first one."""
    table = PAGE.split(f"| {head} |", 1)[1].split("\n\n", 1)[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]
    return {name: cells[-1] for cells in rows for name in re.findall(r"`(\w+)`", cells[0])}


def test_the_page_says_of_each_pattern_when_it_is_looked_for() -> None:
    """Once a day, or at each question."""
    looked_for = {Pattern(name): when for name, when in last_cells("pattern").items()}

    assert looked_for == dict.fromkeys(FROM_ROWS, "daily") | dict.fromkeys(WHEN_ASKED, "now")


def test_the_page_says_how_sure_each_advice_is() -> None:
    """All that is advised, and nothing else."""
    told = {Pattern(name): float(confidence) for name, confidence in last_cells("advice").items()}

    assert set(told) == ADVISED
    assert told == CONFIDENCE
