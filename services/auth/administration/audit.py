"""Reading and verifying the audit log, for administrators."""

from __future__ import annotations

from typing import Final

from servicekit.clock import Clock
from servicekit.errors import invalid_parameter
from services.auth.administration.domain.listed import AuditQuestion, ChainCheck, page_size
from services.auth.administration.store.audit_rows import AuditRows
from services.auth.shared.administrators import Administrators
from services.auth.shared.domain.audit import AuditRow, ChainHead, follow_chain
from services.auth.shared.store.audit_log import AuditStore

LONGEST: Final = 256
# About 5 ms of hashing: the event loop is not held longer.
BATCH: Final = 500
# Below the deadline of whoever asks.
MOST_S: Final = 8.0


class AuditLog:
    """Reads the log from its end, and walks its chain from the beginning."""

    def __init__(self, rows: AuditRows, chain: AuditStore, administrators: Administrators, *, clock: Clock) -> None:
        self._rows = rows
        self._chain = chain
        self._administrators = administrators
        self._clock = clock

    async def read(self, admin_user_id: str, question: AuditQuestion, size: int) -> tuple[list[AuditRow], bool]:
        """Return a page of rows, the newest first, and whether there are more.

        Raises:
            PermissionDenied: who asks is no administrator.
            InvalidRequest: no row has such a text or number.
        """
        await self._administrators.check(admin_user_id)
        _check(question)
        limit = page_size(size)
        found = await self._rows.read(question, limit + 1)
        return found[:limit], len(found) > limit

    async def check(self, admin_user_id: str) -> ChainCheck:
        """Walk the chain, as far as there is time.

        Raises:
            PermissionDenied: who asks is no administrator.
        """
        await self._administrators.check(admin_user_id)
        head, ends_at = ChainHead(), self._clock.monotonic() + MOST_S
        while rows := await self._chain.read_after(head.seq, BATCH):
            head, broken = follow_chain(head, rows)
            if broken is not None:
                return ChainCheck(head, broken, is_complete=True)
            if self._clock.monotonic() >= ends_at:
                return ChainCheck(head, None, is_complete=False)
        return ChainCheck(head, None, is_complete=True)


def _check(question: AuditQuestion) -> None:
    for param in ("actor", "action", "subject"):
        text = getattr(question, param)
        if len(text) > LONGEST or "\0" in text:
            raise invalid_parameter(param, "No row has this.")
    if question.before < 0:
        raise invalid_parameter("before", "Give the number of a row.")
