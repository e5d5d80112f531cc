"""ChangeLog: what followed 1.0 after the first run, a line each, written down before it is done."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from migrate.report.faults import report_errors
from migrate.report.values import as_new
from services.auth.importing.following import Change

CHANGES: Final = "changes.jsonl"


class ChangeLog:
    """Lines behind those of earlier rounds.

    A line is there before its change: what a kill came between is written again by the next round, with its time.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / CHANGES
        self.count = 0

    def write(self, changes: Sequence[Change]) -> None:
        """Have the lines survive a crash.

        Raises:
            ReportFault: they cannot be written.
        """
        if not changes:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        with report_errors(self._path), _opened(self._path) as file:
            for change in changes:
                file.write(json.dumps(_line(at, change), ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.count += len(changes)


def _opened(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def _line(at: str, change: Change) -> dict[str, Any]:
    return {
        "at": at,
        "kind": change.kind,
        "id": change.id,
        "field": change.field,
        "old": as_new(change.old),
        "new": as_new(change.new),
        "outcome": change.outcome.value,
    }
