"""Watch: when the last row of a move was stored, and when every row had the indexes of the table it goes to."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Final

import psycopg

POLL_S: Final = 0.1
# Months that are built apart have a primary key when they have all indexes: one transaction makes them.
_REACHED: Final = """
SELECT
    (SELECT coalesce(max((state->'counts'->>'rows')::bigint), 0) FROM usage.imports),
    (SELECT count(*)
    FROM pg_class AS c
    WHERE c.relnamespace = 'usage'::regnamespace AND c.relkind = 'r' AND starts_with(c.relname, 'import_')
        AND c.relname ~ '_[0-9]{4}_[0-9]{2}$'
        AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary))
"""


class Watch:
    """Asks a database of usage while a move goes on.

    Attributes:
        stored_s: seconds until all rows were stored, checked and noted as moved.
        indexed_s: seconds until all of them had their indexes, too.
    """

    def __init__(self, dsn: str, rows: int) -> None:
        self.stored_s: float | None = None
        self.indexed_s: float | None = None
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
        while self.indexed_s is None and not self._ended.wait(POLL_S):
            rows, without_indexes = self._connection.execute(_REACHED).fetchone() or (0, 0)
            if rows < self._rows:
                continue
            passed_s = time.monotonic() - began_at
            self.stored_s = self.stored_s or passed_s
            self.indexed_s = None if without_indexes else passed_s
