"""ReportFiles: lines that are kept as far as the target has come, and cut there when a run goes on."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

from migrate.report.faults import ReportFault, report_errors
from migrate.report.lines import ReportLines
from migrate.report.ownership import mark_source

NAMES: Final = ("quarantine", "repairs", "id_map", "edited")
SUMMARY: Final = "summary.json"
LOCK: Final = "lock"
TRIAL: Final = "trial"


class ReportFiles(ReportLines):
    """The files of a run in its folder; only their owner can read them: they have addresses and hashes of keys."""

    def __init__(self, folder: Path, source: Path | None = None, *, is_trial: bool = False) -> None:
        """Open the folder, which is made; a trial's folder is never a run's, nor one source's another one's.

        Raises:
            ReportFault: it cannot be written, or another command writes there; so does every method.
        """
        self.folder = folder
        with report_errors(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _locked(folder / LOCK)
            _check_kind(folder, is_trial=is_trial)
            if source is not None:
                mark_source(folder, source)
            self._files: dict[str, IO[bytes]] = {name: _opened(folder / f"{name}.jsonl") for name in NAMES}

    def __enter__(self) -> ReportFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Each of them, also where a full disk fails the first: the lock must not outlive this.
        with report_errors(self.folder), ExitStack() as closing:
            for file in (self._lock, *self._files.values()):
                closing.callback(file.close)

    def write(self, name: str, line: Mapping[str, Any]) -> None:
        """Add a line to a file."""
        with report_errors(self.folder):
            self._files[name].write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    def sync(self) -> dict[str, int]:
        """Have the lines survive a crash; return how long each file is."""
        with report_errors(self.folder):
            for file in self._files.values():
                file.flush()
                os.fsync(file.fileno())
        return {name: file.tell() for name, file in self._files.items()}

    def cut(self, lengths: Mapping[str, int]) -> None:
        """Forget the lines behind what the target has; a file that is not named is emptied.

        Raises:
            ReportFault: lines are missing: the earlier ones are in another folder.
        """
        for name, file in self._files.items():
            length = lengths.get(name, 0)
            if os.fstat(file.fileno()).st_size < length:
                raise ReportFault(
                    "report_elsewhere",
                    f"{self.folder} has not the lines of the runs before: name the folder that they wrote to.",
                )
            file.truncate(length)
            file.seek(0, os.SEEK_END)

    def summary(self, content: Mapping[str, Any]) -> None:
        """Write the summary, whole or not at all."""
        path = self.folder / SUMMARY
        new = path.with_suffix(".new")
        with report_errors(path), _opened(new) as file:
            file.truncate(0)
            file.write(json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)


def _opened(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "ab+")


def _locked(path: Path) -> IO[bytes]:
    file = _opened(path)
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        file.close()
        raise ReportFault(
            "report_in_use", f"Another command writes to {path.parent}: wait for its end, or stop it."
        ) from exc
    return file


def _check_kind(folder: Path, *, is_trial: bool) -> None:
    """Mark the folder of a trial, and refuse to mix it up with a run's: each begins by emptying its files."""
    mark = folder / TRIAL
    is_used = (folder / f"{NAMES[0]}.jsonl").exists()
    if is_used and mark.exists() != is_trial:
        kind = "a run" if is_trial else "a trial"
        raise ReportFault("report_elsewhere", f"{folder} has the report of {kind}: name another folder.")
    if is_trial:
        mark.touch(mode=0o600)
