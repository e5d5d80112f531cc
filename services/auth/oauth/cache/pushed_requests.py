"""Pushed authorization requests (RFC 9126), in Redis, until a browser brings their `request_uri`, once."""

from __future__ import annotations

import json
from typing import Final

from redis.asyncio import Redis

from servicekit.once.single_use import SingleUse
from services.auth.oauth.cache.json_values import to_json
from services.auth.oauth.domain.params import Params
from services.auth.oauth.domain.token import digest
from services.auth.shared.cache.errors import cache_errors

PUSHED: Final = "razvilka:auth:pushed:"


class PushedRequests:
    """Pushed requests by the SHA-256 of their request_uri."""

    def __init__(self, client: Redis, *, ttl_s: int) -> None:
        self._requests = SingleUse(client)
        self.ttl_s = ttl_s

    async def put(self, request_uri: str, client_id: str, params: Params) -> None:
        """Keep a client's request.

        Raises:
            Unavailable: Redis is down.
        """
        text = to_json({"client_id": client_id, "params": params.given()})
        with cache_errors():
            await self._requests.put(PUSHED + digest(request_uri).hex(), text, ttl_s=self.ttl_s)

    async def take(self, request_uri: str, client_id: str) -> Params | None:
        """Return what this client pushed, once; None when it is unknown, over, taken before, or another client's."""
        name = PUSHED + digest(request_uri).hex()
        with cache_errors():
            raw = await self._requests.look(name)
        # Looked at before it is taken: whoever saw the name cannot use it up under another client's id.
        read = json.loads(raw) if raw is not None else None
        if read is None or read["client_id"] != client_id:
            return None
        with cache_errors():
            is_first = await self._requests.take(name) is not None
        return Params((name, value) for name, value in read["params"]) if is_first else None
