"""SourceFault: why a file cannot be read, and what to do."""

from __future__ import annotations


class SourceFault(Exception):
    """A file that cannot be the source; the message is one line for the operator, `code` one for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
