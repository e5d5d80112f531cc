"""Authorization requests that wait for their user, in Redis."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from redis.asyncio import Redis

from servicekit.once.repeating import may_repeat
from servicekit.once.single_use import SingleUse
from services.auth.oauth.cache.json_values import timestamp_text, to_json
from services.auth.oauth.domain.authorization import AuthorizationRequest, Pending, ReplyTo
from services.auth.oauth.domain.token import digest
from services.auth.shared.cache.errors import cache_errors
from services.auth.shared.domain.scope import known_scopes

PENDING: Final = "razvilka:auth:pending:"
WAITING: Final = "razvilka:auth:waiting:"
# Anybody may begin what waits, 7 KB at most each: an address would fill 30 MB within its 300 requests a minute.
MOST_WAITING: Final = 500

# KEYS: what waits of an address, by time. ARGV: one more, seconds it waits, how many may. Returns what is too much.
_NOTE: Final = """
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], now[1] * 1000000 + now[2], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
local over = redis.call('ZCARD', KEYS[1]) - ARGV[3]
if over <= 0 then return {} end
local oldest = redis.call('ZRANGE', KEYS[1], 0, over - 1)
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, over - 1)
return oldest
"""


class PendingCache:
    """Authorization requests that wait for their user."""

    def __init__(self, client: Redis, *, ttl_s: int) -> None:
        self._client = client
        self._requests = SingleUse(client)
        self._note = client.register_script(_NOTE)
        self._ttl_s = ttl_s

    async def put(self, pending_id: str, pending: Pending, host: str) -> None:
        """Keep a request; of the `MOST_WAITING` of its host the oldest is forgotten. `host` "": nobody knows whose.

        Raises:
            Unavailable: Redis is down.
        """
        name = PENDING + digest(pending_id).hex()
        with cache_errors():
            await self._requests.put(name, to_json(_pending_to_json(pending)), ttl_s=self._ttl_s)
            # Without an address all strangers would share one, and one of them could shut out the others.
            for oldest in await self._noted(name, host) if host else []:
                await self._client.delete(oldest)

    async def _noted(self, name: str, host: str) -> list[bytes]:
        with may_repeat():
            return list(await self._note(keys=[WAITING + host], args=[name, self._ttl_s, MOST_WAITING]))

    async def get(self, pending_id: str) -> Pending | None:
        """Return a request; None when it is unknown, over or decided."""
        with cache_errors():
            raw = await self._requests.look(PENDING + digest(pending_id).hex())
        return None if raw is None else _pending_from_json(json.loads(raw))

    async def drop(self, pending_id: str) -> bool:
        """Forget a request; tell whether it was this call that did: of two decisions only one counts."""
        with cache_errors():
            return await self._requests.take(PENDING + digest(pending_id).hex()) is not None


def _pending_to_json(pending: Pending) -> dict[str, Any]:
    request = pending.request
    return {
        "session_id": pending.session_id,
        "client_id": request.client_id,
        "redirect_uri": request.reply_to.redirect_uri,
        "state": request.reply_to.state,
        "issuer": request.reply_to.issuer,
        "scopes": sorted(request.scopes),
        "code_challenge": request.code_challenge,
        "nonce": request.nonce,
        "prompts": sorted(request.prompts),
        "max_age_s": request.max_age_s,
        "login_hint": request.login_hint,
        "ui_locales": request.ui_locales,
        "requested_at": timestamp_text(request.requested_at),
        "dpop_jkt": request.dpop_jkt,
        "acr_values": list(request.acr_values),
    }


def _pending_from_json(read: dict[str, Any]) -> Pending:
    request = AuthorizationRequest(
        client_id=read["client_id"],
        reply_to=ReplyTo(read["redirect_uri"], read["state"], read["issuer"]),
        scopes=known_scopes(read["scopes"]),
        code_challenge=read["code_challenge"],
        nonce=read["nonce"],
        prompts=frozenset(read["prompts"]),
        max_age_s=read["max_age_s"],
        login_hint=read["login_hint"],
        ui_locales=read["ui_locales"],
        requested_at=datetime.fromisoformat(read["requested_at"]),
        dpop_jkt=read.get("dpop_jkt"),
        acr_values=tuple(read.get("acr_values", ())),
    )
    return Pending(request, read["session_id"])
