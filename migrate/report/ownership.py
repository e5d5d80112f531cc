"""Whose report a folder has: a run of another source would begin by emptying its files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from migrate.report.faults import ReportFault, report_errors

REPORT: Final = "quarantine.jsonl"
SOURCE: Final = "source"


def check_is_report(folder: Path) -> None:
    """Look whether there is a report, and write nothing.

    Raises:
        ReportFault: no run and no plan wrote one there.
    """
    with report_errors(folder):
        is_there = (folder / REPORT).exists()
    if not is_there:
        raise ReportFault("report_missing", f"{folder} has no report: name the folder that run or plan wrote to.")


def check_source(folder: Path, source: Path) -> None:
    """Look whether the folder may be the source's, and write nothing; one that says nothing of a source may.

    Raises:
        ReportFault: it has the report of another one.
    """
    with report_errors(folder):
        owner = _owner(folder)
    if owner and owner != _name(source):
        raise ReportFault(
            "report_elsewhere",
            f"{folder} has the report of {os.fsdecode(owner)}: name this source's folder, or the source by the place "
            "that it moved from, which is how 1.1 knows it.",
        )


def mark_source(folder: Path, source: Path) -> None:
    """Keep the folder for a source.

    Raises:
        ReportFault: it has the report of another one, or cannot be written.
    """
    check_source(folder, source)
    with report_errors(folder):
        if not _owner(folder):
            (folder / SOURCE).write_bytes(_name(source))


def _owner(folder: Path) -> bytes:
    mark = folder / SOURCE
    return mark.read_bytes() if mark.exists() else b""


def _name(source: Path) -> bytes:
    return os.fsencode(source.resolve())
