"""ReportFault: why a folder cannot hold the report, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ReportFault(Exception):
    """A folder that cannot be used; the message is one line for the operator, `code` one for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def report_errors(path: Path) -> Iterator[None]:
    """Raise `ReportFault` in place of what the file system says."""
    try:
        yield
    except OSError as exc:
        raise ReportFault(
            "report_unwritable",
            f"{path} cannot be written: {exc.strerror}. Make room or give the right, then run it again: it goes on "
            "where it stood.",
        ) from exc
