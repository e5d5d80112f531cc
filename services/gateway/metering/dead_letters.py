"""Records that can never be stored: kept in a file for a person, counted for an alert."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec
import structlog

from services.gateway.metering import metrics
from services.gateway.metering.usage_record import Rejected, UsageRecord

log = structlog.get_logger()


class DeadLetters:
    """A file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, record: UsageRecord, rejected: Rejected) -> None:
        """Keep a record and why it was refused.

        Raises:
            OSError: it is not in the file; keep it elsewhere.
        """
        named = dict(zip(record.__struct_fields__, msgspec.to_builtins(record), strict=True))
        line = msgspec.json.encode({"why": rejected, "record": named}) + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            _write_whole(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        metrics.DEAD_LETTERED.inc()
        log.error("metering.dead_letter", request_id=record.request_id, field=rejected.field, error=rejected.message)


def _write_whole(descriptor: int, line: bytes) -> None:
    before = os.fstat(descriptor).st_size
    try:
        if os.write(descriptor, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        # Half a line would spoil the next one.
        os.ftruncate(descriptor, before)
        raise
