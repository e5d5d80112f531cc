"""RunLog: what was asked for, when, how far it came and how it ended, for who asks later."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from migrate.report.faults import report_errors

LOG: Final = "log.jsonl"
A_MILLION: Final = 1_000_000


class RunLog:
    """Lines behind those of earlier commands; without a folder nothing is written.

    A command that was killed has a `start` and no `end`. Lines survive a crash.
    """

    def __init__(self, folder: Path | None) -> None:
        """Open the log; the folder is made.

        Raises:
            ReportFault: it cannot be written.
        """
        self._path = None if folder is None else folder / LOG
        self._file: IO[bytes] | None = None
        self._marked = 0
        if folder is not None:
            with report_errors(folder):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._file = os.fdopen(os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")

    def start(self, verb: str, arguments: Sequence[str]) -> None:
        """Note what was asked for."""
        self._write("start", verb=verb, arguments=list(arguments))

    def mark(self, what: str, **figures: Any) -> None:
        """Note how far it came."""
        self._write("mark", what=what, **figures)

    def rows(self, rows: int) -> None:
        """Note how many usage rows have a fate, a line a million."""
        if rows // A_MILLION > self._marked:
            self._marked = rows // A_MILLION
            self.mark("usage rows", rows=rows)

    def end(self, status: int, error: dict[str, str] | None = None) -> None:
        """Note the exit status, and what went wrong."""
        self._write("end", status=status, error=error)
        if self._file is not None:
            self._file.close()

    def _write(self, event: str, **line: Any) -> None:
        if self._file is None or self._path is None:
            return
        entry = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "pid": os.getpid(), "event": event, **line}
        with report_errors(self._path):
            self._file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
