"""The tool as a process, and how far it has come."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import psycopg

from migrate.__main__ import main
from migrate.moving import requests

FORKS: Final = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])
ZONE: Final = "Europe/Moscow"
# A hundredth of what it is: a small source has as many commits as a large one.
BATCH: Final = 500
# How far rows have come, and how many months have taken their places.
MOVED: Final = """
SELECT max(last_row), count(*), (SELECT count(*) FROM pg_inherits WHERE inhparent = 'usage.usage'::regclass)
FROM usage.imports
"""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be moved, and where to: DSNs by the variables that services name them by."""

    source: Path
    report: Path
    dsns: Mapping[str, str]


class Tool:
    """`run` in a process of its own, forked from one that has imported it already: most of a short run is imports."""

    def __init__(self, order: Order) -> None:
        self._said = order.report.with_suffix(".said")
        self._process = FORKS.Process(target=_run, args=(order, self._said))
        self._process.start()

    @property
    def has_ended(self) -> bool:
        """Tell whether it is no more."""
        return not self._process.is_alive()

    def kill(self) -> None:
        """Kill it, if it is still there."""
        self._process.kill()
        self._process.join()

    def wait(self) -> int | None:
        """Return its exit status when it has ended."""
        self._process.join()
        return self._process.exitcode

    @property
    def said(self) -> str:
        """Return what it wrote."""
        return self._said.read_text(errors="replace")


def _run(order: Order, said: Path) -> None:
    os.environ.update(order.dsns)
    with said.open("wb") as output:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(output.fileno(), stream.fileno())
    requests.BATCH = BATCH  # type: ignore[misc]
    source = ["--source", str(order.source), "--naive-zone", ZONE]
    sys.exit(main(["run", *source, "--report", str(order.report), "--json"]))


class Progress:
    """How far a move has come, asked over connections that stay open."""

    def __init__(self, order: Order) -> None:
        self._auth = psycopg.connect(order.dsns["AUTH_POSTGRES_DSN"], autocommit=True)
        self._usage = psycopg.connect(order.dsns["USAGE_POSTGRES_DSN"], autocommit=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._auth.close()
        self._usage.close()

    def now(self) -> tuple[Any, ...]:
        """Return something that changes with each commit of the move."""
        people = self._auth.execute("SELECT count(*) FROM auth.imported_rows").fetchone()
        return people, self._usage.execute(MOVED).fetchone()
