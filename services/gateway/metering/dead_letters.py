"""Records that can never be stored: kept in a file for a person, counted for an alert."""

from __future__ import annotations

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
        """Keep a record and why it was refused; a full disk costs the line, not the process."""
        metrics.DEAD_LETTERED.inc()
        log.error("metering.dead_letter", request_id=record.request_id, field=rejected.field, error=rejected.message)
        named = dict(zip(record.__struct_fields__, msgspec.to_builtins(record), strict=True))
        line = msgspec.json.encode({"why": rejected, "record": named}) + b"\n"
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as exc:
            log.error("metering.dead_letter_lost", request_id=record.request_id, error=exc.strerror)
