"""Who pays for work that goes on when its caller has left: the credential's holder, as of now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from servicekit.call import CallContext
from servicekit.errors import ErrorReason, Unauthenticated
from services.gateway.clients.caller import Caller
from services.gateway.identity.access_tokens import GetGrant, counted_under
from services.gateway.identity.key_cache import KeyCache

# (user id, key id) -> who holds the key.
GetHolder = Callable[[str, str, CallContext], Awaitable[Caller]]


class Holders:
    """Finds holders by what was written down of their credentials; what ends is heard of as everywhere."""

    def __init__(self, keys: KeyCache, get_holder: GetHolder, grants: KeyCache, get_grant: GetGrant) -> None:
        self._keys = keys
        self._get_holder = get_holder
        self._grants = grants
        self._get_grant = get_grant

    async def of(self, user_id: str, key_id: str, grant_id: str, call: CallContext) -> Caller:
        """Return who holds the key, or (no key) what the grant of an application allows, with its budget as of now.

        Raises:
            Unauthenticated: it has ended.
            Unavailable: it cannot be told.
        """
        if key_id:
            # No key looks like this: what was verified by showing one is remembered apart.
            name = self._keys.digest(f"holder {user_id} {key_id}".encode())
            return await self._keys.get(name, lambda: self._get_holder(user_id, key_id, call))
        grant = await self._grants.get(grant_id.encode(), lambda: self._get_grant(grant_id, user_id, call))
        if grant.user_id != user_id:
            raise Unauthenticated(ErrorReason.INVALID_TOKEN, "The grant is not valid any more.")
        return replace(grant, grant_id=counted_under(grant), token_grant_id=grant_id)
