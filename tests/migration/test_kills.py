"""A move that is killed again and again, and whose connections are cut, loses nothing and doubles nothing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

from tests.migration.installation import Installation
from tests.migration.kills.source import make_large
from tests.migration.kills.tool import Order, Progress, Tool

ROWS: Final = 2_000
NO_TARGET: Final = 4
CUT: Final = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND usename = 'razvilka_usage' AND pid <> pg_backend_pid()
"""


def wait_for_commit(tool: Tool, progress: Progress) -> None:
    """Wait until a move has come further than it was."""
    before = progress.now()
    while progress.now() == before and not tool.has_ended:
        pass


def test_a_move_that_is_killed_at_commits_loses_and_doubles_nothing(target: Installation, tmp_path: Path) -> None:
    """`make migrate-kills` does it three hundred times, and to PostgreSQL too."""
    source = make_large(tmp_path / "old.db", ROWS, random.Random(1))
    order = Order(source, tmp_path / "report", target.dsns)

    with Progress(order) as progress:
        for _ in range(3):
            tool = Tool(order)
            wait_for_commit(tool, progress)
            tool.kill()
        tool = Tool(order)
        wait_for_commit(tool, progress)
    target.usage.execute(CUT)
    status = tool.wait()
    outcome = target.run(source, order.report, "Europe/Moscow")

    assert status in (1, NO_TARGET)
    assert "Traceback" not in tool.said
    assert outcome.status == 1
    assert list(map(str, target.problems(source, order.report))) == []
