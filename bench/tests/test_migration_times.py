"""The table of docs/migration/guide.md is filled in by what `make migration-times` prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.migration.times import HEAD, SIZES, power, span

FOLDER = Path(__file__).parents[2] / "docs" / "migration"


@pytest.mark.parametrize(
    ("rows", "said"), [(100_000, "10⁵"), (10_000_000, "10⁷"), (5_000_000, "5·10⁶"), (12, "12·10⁰")]
)
def test_rows_are_said_as_powers_of_ten(rows: int, said: str) -> None:
    assert power(rows) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (10.4, "10 s"), (59.6, "1 min 0 s"), (3_671.0, "61 min 11 s")],
)
def test_times_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert span(seconds) == said


def test_the_guide_has_a_line_for_each_size() -> None:
    """With the columns that are printed; the Russian one has others and the same lines."""
    assert HEAD in (FOLDER / "guide.md").read_text()
    for page in ("guide.md", "guide.ru.md"):
        for size in SIZES:
            assert f"\n| {power(size)} |" in (FOLDER / page).read_text()
