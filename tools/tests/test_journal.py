"""`make journal`."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_a_journal_can_be_looked_into_without_a_running_suite(tmp_path):
    """No settings are needed to inspect; a file that is no journal is named as such."""
    (tmp_path / "notes.txt").write_text("mine")

    ended = subprocess.run(
        [sys.executable, "-m", "tools.journal", "inspect", str(tmp_path / "notes.txt")],
        cwd=REPOSITORY,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "neither a segment (*.seg) nor dead letters (*.jsonl)" in ended.stdout
