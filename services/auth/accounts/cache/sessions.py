"""Login sessions in Redis, found by the SHA-256 of their secret. If Redis loses them, everybody is logged out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from redis.asyncio import Redis

from servicekit.once.repeating import may_repeat
from services.auth.accounts.domain.login_session import LoginSession, SessionTerms
from services.auth.shared.cache.errors import cache_errors

SESSION: Final = "auth:session:"
# Public id -> digest of each session of a user.
OF_USER: Final = "auth:user_sessions:"
# All sessions by the time they end, for counting.
LIVE: Final = "auth:sessions_by_end"

# A session that was ended meanwhile does not come back.
CHANGE: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if ARGV[3] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
"""


def digest_of(secret: str) -> str:
    """Return what a session is found by; whatever bytes come from outside."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class SessionCache:
    """Sessions by secret and by user."""

    def __init__(self, client: Redis, terms: SessionTerms) -> None:
        self._client = client
        self._terms = terms
        self._change = client.register_script(CHANGE)

    async def put(self, session: LoginSession) -> None:
        """Store a new session.

        Raises:
            Unavailable: Redis is gone; so do all methods here.
        """
        key, index = SESSION + session.digest, OF_USER + session.user_id
        pipe = self._client.pipeline(transaction=False)
        # Listed before it exists: nobody can have a session that cannot be found and ended.
        pipe.hset(index, session.id, session.digest)
        pipe.pexpire(index, self._terms.absolute)
        pipe.hset(key, mapping=_to_hash(session))
        pipe.pexpire(key, min(self._terms.idle, self._terms.absolute))
        pipe.zadd(LIVE, {session.digest: self._terms.expires_at(session).timestamp()})
        with cache_errors():
            await pipe.execute()

    async def find(self, digest: str) -> LoginSession | None:
        """Return a session, whether or not its time is over."""
        with cache_errors():
            return _from_hash(digest, await self._client.hgetall(SESSION + digest))

    async def of_user(self, user_id: str) -> list[LoginSession]:
        """Return a user's sessions; entries whose session is gone are cleared away."""
        index = OF_USER + user_id
        with cache_errors():
            digests = {_text(key): _text(value) for key, value in (await self._client.hgetall(index)).items()}
            pipe = self._client.pipeline(transaction=False)
            for digest in digests.values():
                pipe.hgetall(SESSION + digest)
            found = [
                _from_hash(digest, stored)
                for digest, stored in zip(digests.values(), await pipe.execute() if digests else [], strict=True)
            ]
            gone = [id_ for id_, session in zip(digests, found, strict=True) if session is None]
            if gone:
                await self._client.hdel(index, *gone)
        return [session for session in found if session is not None]

    async def touch(self, session: LoginSession, now: datetime) -> LoginSession:
        """Note that the session was used now."""
        seen = replace(session, last_seen_at=now)
        left_ms = max(1, (self._terms.expires_at(seen) - now) // timedelta(milliseconds=1))
        with cache_errors(), may_repeat():
            await self._change(keys=[SESSION + session.digest], args=["last_seen_at", now.isoformat(), left_ms])
            await self._client.zadd(LIVE, {session.digest: self._terms.expires_at(seen).timestamp()}, xx=True)
        return seen

    async def move_to_epoch(self, digest: str, epoch: int) -> None:
        """Let a session go on after the account's other sessions ended."""
        with cache_errors(), may_repeat():
            await self._change(keys=[SESSION + digest], args=["epoch", epoch, ""])

    async def note_proof(self, digest: str, at: datetime) -> None:
        """Note that the session's holder has proved once more who they are."""
        with cache_errors(), may_repeat():
            await self._change(keys=[SESSION + digest], args=["authenticated_at", at.isoformat(), ""])

    async def remove(self, sessions: Sequence[LoginSession]) -> None:
        """End sessions."""
        if not sessions:
            return
        pipe = self._client.pipeline(transaction=False)
        for session in sessions:
            pipe.delete(SESSION + session.digest)
            pipe.hdel(OF_USER + session.user_id, session.id)
            pipe.zrem(LIVE, session.digest)
        with cache_errors(), may_repeat():
            await pipe.execute()

    async def count_live(self, now: datetime) -> int:
        """Return how many sessions are live."""
        with cache_errors():
            await self._client.zremrangebyscore(LIVE, "-inf", now.timestamp())
            return int(await self._client.zcard(LIVE))


def _to_hash(session: LoginSession) -> dict[Any, Any]:
    return {
        "id": session.id,
        "user_id": session.user_id,
        "epoch": session.epoch,
        "created_at": session.created_at.isoformat(),
        "authenticated_at": session.authenticated_at.isoformat(),
        "last_seen_at": session.last_seen_at.isoformat(),
        "ip": session.ip,
        "user_agent": session.user_agent,
        "methods": " ".join(session.methods),
    }


def _from_hash(digest: str, stored: Mapping[bytes | str, bytes | str]) -> LoginSession | None:
    if not stored:
        return None
    fields = {_text(name): _text(value) for name, value in stored.items()}
    return LoginSession(
        id=fields["id"],
        digest=digest,
        user_id=fields["user_id"],
        epoch=int(fields["epoch"]),
        created_at=_timestamp(fields["created_at"]),
        authenticated_at=_timestamp(fields["authenticated_at"]),
        last_seen_at=_timestamp(fields["last_seen_at"]),
        ip=fields["ip"],
        user_agent=fields["user_agent"],
        # Sessions of the version before this one have none.
        methods=tuple(fields.get("methods", "").split()),
    )


def _timestamp(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")
