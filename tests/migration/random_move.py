"""One random database through the tool and the checker, and whether the way back leaves nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.migration.dirt.databases import OldDatabase
from tests.migration.installation import Installation

DONE = 0
SOME_WAIT = 1
# Every command has a line there.
LOG = "log.jsonl"


def move_and_judge(old: OldDatabase, target: Installation) -> list[str]:
    """Move a database, and return what is wrong: a line each."""
    target.empty()
    with tempfile.TemporaryDirectory() as folder:
        source, report = Path(folder) / "old.db", Path(folder) / "report"
        old.make(source)
        outcome = target.run(source, report, old.zone)
        if outcome.status not in (DONE, SOME_WAIT):
            return [f"status {outcome.status}: {outcome.answer}"]
        problems = list(map(str, target.problems(source, report)))
        target.auth.rollback()
        target.usage.rollback()
        # A second run takes as long as the first: some have one.
        return problems + (_again(source, report, old, target) if len(old.rows["usage"]) % 4 == 1 else [])


def _again(source: Path, report: Path, old: OldDatabase, target: Installation) -> list[str]:
    """The second run and the verification of the tool's own say that nothing is left to do."""
    before = _files(report)
    target.run(source, report, old.zone)
    after = _files(report)
    return [f"the second run changed {name}" for name in before if before[name] != after.get(name)]


def _files(report: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in report.glob("*.json*") if path.name != LOG}
