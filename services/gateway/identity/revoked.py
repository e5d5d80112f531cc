"""What ended before its time, as far as a gateway must remember it: until no token that it ends can be valid."""

from __future__ import annotations

from typing import Final

from servicekit.clock import Clock
from services.gateway.identity.token_claims import AccessToken

# Access tokens live an hour at most, and clocks differ.
KEEP_S: Final = 3900.0
CLEAN_EVERY: Final = 1000


class Revoked:
    """Ended tokens, grants, sessions and clients."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ended: dict[str, dict[str, float]] = {"token": {}, "grant": {}, "session": {}, "client": {}}
        self._tokens, self._grants = self._ended["token"], self._ended["grant"]
        self._sessions, self._clients = self._ended["session"], self._ended["client"]
        self._added = 0

    def add(self, kind: str, id: str) -> bool:
        """Remember that this ended; tell whether it is a kind that tokens are checked against."""
        ended = self._ended.get(kind)
        if ended is None:
            return False
        ended[id] = self._clock.monotonic() + KEEP_S
        self._added += 1
        if self._added % CLEAN_EVERY == 0:
            self._clean()
        return True

    def covers(self, token: AccessToken) -> bool:
        """Tell whether the token, its grant, its session or its client ended."""
        return (
            token.jti in self._tokens
            or token.grant_id in self._grants
            or token.session_id in self._sessions
            or token.client_id in self._clients
        )

    def _clean(self) -> None:
        now = self._clock.monotonic()
        for ended in self._ended.values():
            for id in [id for id, until in ended.items() if until <= now]:
                del ended[id]
