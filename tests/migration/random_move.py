"""One random database through the tool and the checker, and whether the way back leaves nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.migration.dirt.databases import OldDatabase
from tests.migration.installation import Installation, Outcome

DONE = 0
SOME_WAIT = 1
AWAY = 4
MOST_RUNS = 5
# Every command has a line there.
LOG = "log.jsonl"


def move_and_judge(old: OldDatabase, target: Installation) -> list[str]:
    """Move a database, and return what is wrong: a line each."""
    target.empty()
    with tempfile.TemporaryDirectory() as folder:
        source, report = Path(folder) / "old.db", Path(folder) / "report"
        old.make(source)
        outcome = _run(source, report, old, target)
        if outcome.status not in (DONE, SOME_WAIT):
            return [f"status {outcome.status}: {outcome.answer}"]
        problems = list(map(str, target.problems(source, report)))
        target.auth.rollback()
        target.usage.rollback()
        # A second run takes as long as the first: some have one.
        return problems + (_again(source, report, old, target) if len(old.rows["usage"]) % 4 == 1 else [])


def _run(source: Path, report: Path, old: OldDatabase, target: Installation) -> Outcome:
    """Run until the database answers in time: on a busy machine a connection may not."""
    outcome = target.run(source, report, old.zone)
    for _ in range(MOST_RUNS):
        if outcome.status != AWAY:
            break
        outcome = target.run(source, report, old.zone)
    return outcome


def _again(source: Path, report: Path, old: OldDatabase, target: Installation) -> list[str]:
    """The second run and the verification of the tool's own say that nothing is left to do."""
    before = _files(report)
    _run(source, report, old, target)
    after = _files(report)
    return [f"the second run changed {name}" for name in before if before[name] != after.get(name)]


def _files(report: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in report.glob("*.json*") if path.name != LOG}
