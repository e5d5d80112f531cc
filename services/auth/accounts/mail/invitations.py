"""Invitations: owners of imported accounts are asked once to set a password."""

from __future__ import annotations

from collections.abc import Sequence

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound
from services.auth.accounts.domain.invitation import Invitation
from services.auth.accounts.store.invitations import InvitationStore


class Invitations:
    """Invites the owners of accounts from one source; the mails go through the normal queue.

    Every method raises:
        Unavailable: the database cannot be used now; nothing of the call was done.
    """

    def __init__(self, store: InvitationStore, source_id: str, *, clock: Clock) -> None:
        self._store = store
        self._source_id = source_id
        self._clock = clock

    async def all(self) -> list[Invitation]:
        """Return where each account of the source stands.

        Raises:
            NotFound: nothing was ever brought from there.
        """
        if not await self._store.has_source(self._source_id):
            raise NotFound(ErrorReason.NOT_FOUND, "Nothing was moved from this source.", param="source")
        return await self._store.list_of(self._source_id)

    async def invite(self, user_ids: Sequence[str], language: str | None) -> list[str]:
        """Have a mail sent to each of them who has got none and has no password; return their ids.

        Args:
            language: of the mail, `ru` or `en`; None: that of the account.
        """
        return await self._store.queue(self._source_id, user_ids, language, self._clock.now())
