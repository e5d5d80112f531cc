"""ReportFiles: lines that are kept as far as the target has come, and cut there when a run goes on."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

from migrate.fates.fate import Quarantined, Repair
from migrate.report.faults import ReportFault, report_errors
from migrate.report.values import as_new, as_stored
from migrate.rules.verdict import Stored

NAMES: Final = ("quarantine", "repairs", "id_map")
SUMMARY: Final = "summary.json"
LOCK: Final = "lock"
# The key itself lay open in the source: it is not repeated.
WITHHELD: Final = ("open_key_hashed",)


class ReportFiles:
    """The files of a run in its folder; only their owner can read them: they have addresses and hashes of keys."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, which is made.

        Raises:
            ReportFault: it cannot be written, or another command writes there; so does every method.
        """
        self.folder = folder
        with report_errors(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _locked(folder / LOCK)
            self._files: dict[str, IO[bytes]] = {name: _opened(folder / f"{name}.jsonl") for name in NAMES}

    def __enter__(self) -> ReportFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with report_errors(self.folder):
            for file in (*self._files.values(), self._lock):
                file.close()

    def quarantine(self, table: str, row: int | str, fate: Quarantined, values: Mapping[str, Stored]) -> None:
        """Note a row that waits, with all it has."""
        self._write(
            "quarantine",
            table=table,
            rowid=row,
            reason=fate.reason,
            field=fate.field,
            values={name: as_stored(value) for name, value in values.items()},
        )

    def repair(self, table: str, row: int | str, new_id: str, repair: Repair) -> None:
        """Note what was changed."""
        old = {"class": "withheld"} if repair.rule in WITHHELD else as_stored(repair.old)
        new = as_new(repair.new)
        self._write(
            "repairs", table=table, rowid=row, id=new_id, field=repair.field, old=old, new=new, rule=repair.rule
        )

    def mapping(self, table: str, old: Stored, new_id: str) -> None:
        """Note which id became which."""
        self._write("id_map", table=table, source_id=as_stored(old), target_id=new_id)

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

    def _write(self, name: str, **line: Any) -> None:
        with report_errors(self.folder):
            self._files[name].write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


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
