"""Progress on stderr, for who reads a file of it in the morning."""

from __future__ import annotations

import pytest

from migrate.verbs.progress import progress


def test_a_line_is_said_each_time_that_a_part_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(1_000, quiet=False) as shown:
        for rows in (100, 101, 120, 500, 1_000):
            shown(rows)

    said = capsys.readouterr().err.splitlines()
    assert [line.split(" rows", 1)[0] for line in said] == [
        f"usage: {rows} of 1,000" for rows in ("100", "500", "1,000")
    ]
    assert said[0] == "usage: 100 of 1,000 rows"
    assert "min left" in said[1]


def test_nothing_is_said_to_a_program_and_a_source_that_nobody_can_count_is_no_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress(1_000, quiet=True) as shown:
        shown(1_000)
    assert capsys.readouterr().err == ""
    with progress(None, quiet=False) as shown:
        shown(5_000)
    assert capsys.readouterr().err.startswith("usage: 5,000 rows")
