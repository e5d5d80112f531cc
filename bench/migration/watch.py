"""Watch: when the last row of a move was stored, which is before its month has indexes and sums."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Final

import psycopg

POLL_S: Final = 0.1
_STORED: Final = "SELECT coalesce(max((state->'counts'->>'rows')::bigint), 0) FROM usage.imports"


class Watch:
    """Asks a database of usage while a move goes on; `stored_s` are the seconds until all rows were there."""

    def __init__(self, dsn: str, rows: int) -> None:
        self.stored_s: float | None = None
        self._rows = rows
        self._ended = threading.Event()
        self._connection = psycopg.connect(dsn, autocommit=True)
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._connection.close()

    def _watch(self) -> None:
        began_at = time.monotonic()
        while self.stored_s is None and not self._ended.wait(POLL_S):
            found = self._connection.execute(_STORED).fetchone()
            if found is not None and found[0] >= self._rows:
                self.stored_s = time.monotonic() - began_at
