"""Records that can never be stored: kept in a file for a person, counted for an alert, sent again when told to.

The file has a JSON line for each: why, and the record by the names of its fields. Which lines were sent again and are
stored by now stands in a file beside it, so a replay is exact and once; the usage service stores a request id once as
well.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from services.gateway.metering import metrics
from services.gateway.metering.older_versions import with_zeros
from services.gateway.metering.usage_record import Rejected, UsageRecord

log = structlog.get_logger()

REPLAYED_SUFFIX: Final = ".replayed"


class _Line(msgspec.Struct, frozen=True):
    why: Rejected
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One line of the file; `number` counts from 1, `digest` names its content."""

    number: int
    digest: str
    why: Rejected
    record: UsageRecord


@dataclass(frozen=True, slots=True)
class UnreadableLine:
    """A line that is none of ours."""

    number: int
    reason: str


class DeadLetters:
    """A file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._observed: list[int] = []
        self._is_readable = True

    def add(self, record: UsageRecord, rejected: Rejected) -> None:
        """Keep a record and why it was refused.

        Raises:
            OSError: it is not in the file; keep it elsewhere.
        """
        named = dict(zip(record.__struct_fields__, msgspec.to_builtins(record), strict=True))
        _append(self.path, msgspec.json.encode(_Line(rejected, named)) + b"\n")
        metrics.DEAD_LETTERED.inc()
        log.error("metering.dead_letter", request_id=record.request_id, field=rejected.field, error=rejected.message)

    def read(self) -> Iterator[DeadLetter | UnreadableLine]:
        """Yield every line.

        Raises:
            OSError: the file cannot be read; one that is not there has no lines.
        """
        if not self.path.exists():
            return
        for number, line in enumerate(self.path.read_bytes().splitlines(), start=1):
            try:
                read = msgspec.json.decode(line, type=_Line)
                named = read.record
                values = [named[name] for name in UsageRecord.__struct_fields__ if name in named]
                record = msgspec.convert(with_zeros(values, UsageRecord), UsageRecord)
            # Of bytes that are no UTF-8, msgspec says the latter.
            except (msgspec.DecodeError, UnicodeDecodeError) as exc:
                yield UnreadableLine(number, str(exc))
            else:
                yield DeadLetter(number, hashlib.sha256(line).hexdigest(), read.why, record)

    def waiting(self) -> list[DeadLetter]:
        """Return the readable lines whose record is not stored yet; of equal ones the first."""
        done = self._replayed()
        letters = {each.digest: each for each in reversed(list(self.read())) if isinstance(each, DeadLetter)}
        return sorted((each for each in letters.values() if each.digest not in done), key=lambda each: each.number)

    def observe(self) -> None:
        """Set the gauge, when the files have changed: another process may replay them.

        Never raises: while they cannot be read, as when somebody's editor has made them root's, it stays what it was.
        """
        state = [_size(path) for path in (self.path, self._marks_path)]
        if state == self._observed:
            return
        try:
            metrics.DEAD_LETTERS.set(len(self.waiting()))
        except OSError as exc:
            if self._is_readable:
                log.error("metering.dead_letters_unread", file=str(self.path), error=exc.strerror)
            self._is_readable = False
        else:
            self._observed, self._is_readable = state, True

    def mark_replayed(self, letter: DeadLetter) -> None:
        """Remember that a record is stored.

        Raises:
            OSError: it will be sent again, which does no harm.
        """
        _append(self._marks_path, letter.digest.encode() + b"\n")

    @property
    def _marks_path(self) -> Path:
        return self.path.with_name(self.path.name + REPLAYED_SUFFIX)

    def _replayed(self) -> set[str]:
        path = self._marks_path
        return set(path.read_text(errors="replace").split()) if path.exists() else set()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _append(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    before = os.fstat(descriptor).st_size
    if before and os.pread(descriptor, 1, before - 1) != b"\n":
        # A power cut, or somebody's editor, left a line without its end: this one is not to be spoilt by it.
        line = b"\n" + line
    try:
        if os.write(descriptor, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    except OSError:
        # Half a line would spoil the next one.
        os.ftruncate(descriptor, before)
        raise
    finally:
        os.close(descriptor)
