"""Checks requests without a credential: from the account's holder after reauthentication, or an operator's tool."""

from __future__ import annotations

from servicekit.clock import Clock
from services.auth.shared.domain.delegation import Asker
from services.auth.shared.domain.session import Sessions, must_prove


class InPerson:
    """Tells whether somebody may make something without a credential."""

    def __init__(self, sessions: Sessions, *, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    async def check(self, asker: Asker, user_id: str) -> None:
        """Return when a credential asks, an operator does, or the account's holder in a session that is fresh.

        Raises:
            Unauthenticated: INVALID_CREDENTIALS: nobody of these.
        """
        if asker.maker is not None or asker.is_operator:
            return
        session = await self._sessions.find(asker.session_secret) if asker.session_secret else None
        if session is None:
            raise must_prove()
        session.check_fresh(user_id, self._clock.now())
