"""Campaign: moves of one source, again and again, until so many of those who took part were killed."""

from __future__ import annotations

import random
import time
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.migration.installation import Installation, installation
from tests.migration.kills.server import KillableServer
from tests.migration.kills.tool import Order, Progress, Tool
from tools.testing.databases import Databases

POLL_S: Final = 0.02
DONE: Final = (0, 1)
NO_TARGET: Final = 4
# Python ends with status 1 then, too.
TRACEBACK: Final = "Traceback"


@dataclass(slots=True)
class Figures:
    """What was killed, how many moves came to their end, and what was wrong with them."""

    kills: Counter[str] = field(default_factory=Counter)
    moves: int = 0
    problems: list[str] = field(default_factory=list)


class Campaign:
    """Moves a source into databases on a server that it kills now and then."""

    def __init__(self, source: Path, folder: Path, server: KillableServer, rng: random.Random) -> None:
        self.figures = Figures()
        self._folder = folder
        self._source = source
        self._server = server
        self._rng = rng
        self._databases = Databases(server.admin_dsn)
        self._dsns = {service: self._databases.create(service) for service in ("auth", "usage")}

    def run(self, kills: int) -> None:
        """Move until so many were killed, and the last move has come to its end."""
        while self.figures.kills.total() < kills:
            self._move(kills)
            print(
                f"{self.figures.kills.total()} kills {dict(self.figures.kills)}, {self.figures.moves} moves, ", end=""
            )
            print(f"{len(self.figures.problems)} problems", *self.figures.problems[:3], sep="\n  ", flush=True)

    def _move(self, kills: int) -> None:
        report = self._folder / f"report-{self.figures.moves}"
        with self._installation() as target:
            target.empty()
            target.forget_months()
            order = Order(self._source, report, target.dsns)
        while not self._attempt(order, may_kill=self.figures.kills.total() < kills):
            pass
        self.figures.moves += 1
        if not (report / "summary.json").exists():
            # What ended it is told among the problems.
            return
        with self._installation() as target:
            self.figures.problems += map(str, target.problems(self._source, report))

    def _installation(self) -> AbstractContextManager[Installation]:
        return installation(self._dsns, {name: self._databases.admin_dsn_of(dsn) for name, dsn in self._dsns.items()})

    def _attempt(self, order: Order, *, may_kill: bool) -> bool:
        """Run the tool once; tell whether the move has come to its end."""
        tool = Tool(order)
        if may_kill and self._is_at_a_moment(tool, order):
            self._kill(tool)
            return False
        status = tool.wait()
        if _is_told(tool, status):
            # A server that has just come back may not answer in time: the tool is run again.
            return False
        if not _has_ended(tool, status):
            self.figures.problems.append(f"status {status}: {tool.said[-1500:]}")
        return True

    def _is_at_a_moment(self, tool: Tool, order: Order) -> bool:
        """Wait for a commit or some, or for none, and a little; False: the tool has ended before."""
        commits = self._rng.choice([0, 1, 1, 2, 3, 5])
        with Progress(order) as progress:
            seen = progress.now()
            while commits and not tool.has_ended:
                if (now := progress.now()) != seen:
                    commits, seen = commits - 1, now
                time.sleep(POLL_S)
        time.sleep(self._rng.uniform(0, 0.25))
        return not tool.has_ended

    def _kill(self, tool: Tool) -> None:
        victim = self._rng.choice(["tool", "tool", "tool", "postgres"])
        self.figures.kills[victim] += 1
        if victim == "tool":
            tool.kill()
            return
        self._server.kill()
        status = tool.wait()
        # It may have come to its end before.
        if not _is_told(tool, status) and not _has_ended(tool, status):
            self.figures.problems.append(f"status {status} without PostgreSQL: {tool.said[-1500:]}")
        self._server.restart()


def _is_told(tool: Tool, status: int | None) -> bool:
    """Tell whether a tool said in one line that the database is away."""
    return status == NO_TARGET and len(tool.said.splitlines()) == 1


def _has_ended(tool: Tool, status: int | None) -> bool:
    return status in DONE and TRACEBACK not in tool.said
