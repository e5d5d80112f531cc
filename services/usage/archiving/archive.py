"""The archiving job: oldest month first; a file is written, verified and recorded before its rows are deleted."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from datetime import date
from pathlib import Path

import structlog

from servicekit.clock import Clock
from services.usage import metrics
from services.usage.archiving import store
from services.usage.archiving.parquet import Proof, prove, sha256_of, write_parquet
from services.usage.archiving.store import ArchiveStore
from services.usage.domain.months import month_of
from services.usage.store.connection import Connection

log = structlog.get_logger()


class ProofFailed(Exception):
    """A file does not contain what the database does; the rows stay in the database."""


class Archive:
    """Archives months to files."""

    def __init__(self, archive_store: ArchiveStore, folder: Path, after_months: int, *, clock: Clock) -> None:
        self._store = archive_store
        self._folder = folder
        self._after_months = after_months
        self._clock = clock

    async def round(self) -> None:
        """Archive every month that is due, oldest first; another instance at work is left alone.

        Raises:
            ProofFailed: a file could not be proven.
            OSError: the folder cannot be written to.
            Unavailable: PostgreSQL is away at the beginning.
        """
        async with self._store.alone() as connection:
            if connection is None:
                return
            await asyncio.to_thread(self._clear)
            for month in await store.list_months(connection):
                if self._is_due(month) and not await self._archive(connection, month):
                    return

    def _clear(self) -> None:
        """Remove what an archivist left behind that was killed."""
        for left in self._folder.glob(".writing-*"):
            shutil.rmtree(left, ignore_errors=True)

    def _is_due(self, month: date) -> bool:
        this = month_of(self._clock.now().date())
        return (this.year - month.year) * 12 + this.month - month.month > self._after_months

    async def _archive(self, connection: Connection, month: date) -> bool:
        name = f"usage-{month:%Y-%m}.parquet"
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".writing-") as scratch:
            rows, file = Path(scratch) / "rows.csv", Path(scratch) / name
            await store.write_rows(connection, month, rows)
            expected = await store.prove(connection, month)
            await asyncio.to_thread(_write_proven, rows, file, expected)
            sha256 = await asyncio.to_thread(sha256_of, file)
            is_new = await asyncio.to_thread(_place, file, self._folder / name, sha256, expected)
        is_gone = await store.drop_month(connection, month, expected, name, sha256)
        if is_gone:
            metrics.ARCHIVED_ROWS.inc(expected.rows)
        elif is_new and not await store.is_archived(connection, month):
            # All rows are in the database, and may be others by the next round, which would find this file in its way.
            await asyncio.to_thread(_take_away, self._folder / name)
        log.info("usage.month_archived", month=f"{month:%Y-%m}", rows=expected.rows, sha256=sha256, is_gone=is_gone)
        return is_gone


def _write_proven(rows: Path, file: Path, expected: Proof) -> None:
    write_parquet(rows, file)
    found = prove(file)
    if found != expected:
        raise ProofFailed(f"{file.name} holds {found}, the database {expected}")


def _place(file: Path, place: Path, sha256: str, expected: Proof) -> bool:
    """Give a file its name, durably, with its checksum beside it as `sha256sum -c` reads it; tell whether it is new.

    Raises:
        ProofFailed: a file of that name holds other rows, perhaps the only copy of them.
    """
    is_new = not place.exists()
    if not is_new and (found := prove(place)) != expected:
        raise ProofFailed(f"{place} is there and holds {found}, the database {expected}: copy it back or move it away")
    checksum = _checksum_of(place)
    checksum.write_text(f"{sha256}  {place.name}\n")
    file.replace(place)
    for path in (place, checksum, place.parent):
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
    return is_new


def _take_away(place: Path) -> None:
    """Remove a file that was placed for a month which has not left, and its checksum."""
    place.unlink(missing_ok=True)
    _checksum_of(place).unlink(missing_ok=True)


def _checksum_of(place: Path) -> Path:
    return place.with_suffix(".parquet.sha256")
