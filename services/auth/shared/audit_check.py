"""Verifies the hash chain of the audit log piece by piece, and reports its head."""

from __future__ import annotations

from typing import Final

import structlog

from services.auth.shared import metrics
from services.auth.shared.domain.audit import ChainHead, follow_chain
from services.auth.shared.store.audit_log import AuditStore

log = structlog.get_logger()

# About 5 ms of hashing: the event loop is not held longer.
BATCH: Final = 500


class AuditCheck:
    """Verifies the chain once from its beginning, and then only what was added."""

    def __init__(self, store: AuditStore) -> None:
        self._store = store
        self._head = ChainHead()

    async def run(self) -> int | None:
        """Check what was added since the last time; return the number of the first bad row, if any.

        The head goes to the log: together with the log's copy elsewhere it shows when the newest rows were cut off.
        """
        while rows := await self._store.read_after(self._head.seq, BATCH):
            self._head, bad = follow_chain(self._head, rows)
            if bad is not None:
                metrics.AUDIT_CHAIN_INTACT.set(0)
                log.error("auth.audit_chain_broken", seq=bad)
                return bad
        metrics.AUDIT_CHAIN_INTACT.set(1)
        metrics.AUDIT_ROWS_CHECKED.set(self._head.seq)
        log.info("auth.audit_head", seq=self._head.seq, hash=self._head.hash.hex())
        return None
