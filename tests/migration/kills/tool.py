"""The tool as a process, and how far it has come."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

ZONE = "Europe/Moscow"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be moved, and where to: DSNs by the variables that services name them by."""

    source: Path
    report: Path
    dsns: Mapping[str, str]


class Tool:
    """`run` in a process of its own."""

    def __init__(self, order: Order) -> None:
        self._said = order.report.with_suffix(".said")
        command = [sys.executable, "-m", "migrate", "run", "--source", str(order.source)]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [*command, "--report", str(order.report), "--naive-zone", ZONE, "--json"],
                env={**os.environ, **order.dsns},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    @property
    def has_ended(self) -> bool:
        """Tell whether it is no more."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """Kill it, if it is still there."""
        self._process.kill()
        self._process.wait()

    def wait(self) -> int:
        """Return its exit status when it has ended."""
        return self._process.wait()

    @property
    def said(self) -> str:
        """Return what it wrote."""
        return self._said.read_text(errors="replace")


def progress(order: Order) -> tuple[Any, ...]:
    """Return how far a move has come: something that changes with each commit of it."""
    with (
        psycopg.connect(order.dsns["AUTH_POSTGRES_DSN"]) as auth,
        psycopg.connect(order.dsns["USAGE_POSTGRES_DSN"]) as usage,
    ):
        people = auth.execute("SELECT count(*) FROM auth.imported_rows").fetchone()
        rows = usage.execute("SELECT max(last_row), count(*) FROM usage.imports").fetchone()
    return people, rows
