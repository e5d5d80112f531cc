"""Login sessions: open, find, list, end."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound, Unavailable
from services.auth.accounts import metrics
from services.auth.accounts.cache.sessions import SessionCache, digest_of
from services.auth.accounts.domain.login_session import LoginSession, SessionTerms
from services.auth.accounts.grants_of_user import GrantsOfUser
from services.auth.accounts.store.unit_of_work import AccountUnit, AccountUnits
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.bounds import Bounds
from services.auth.shared.domain.identifier import check_id
from services.auth.shared.domain.origin import Origin
from services.auth.shared.domain.session import Session, is_fresh
from services.auth.shared.store.accounts import AccountStore

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session with its secret, which is returned only here."""

    session: LoginSession
    account: Account
    secret: str = field(repr=False)


def _begun(session: LoginSession) -> datetime:
    return session.created_at


class LoginSessions:
    """The login sessions of all browsers. Implements what OAuth asks of sessions (`domain.session.Sessions`)."""

    def __init__(
        self,
        cache: SessionCache,
        accounts: AccountStore,
        units: AccountUnits,
        grants: GrantsOfUser,
        terms: SessionTerms,
        *,
        bounds: Bounds,
        clock: Clock,
        new_id: Callable[[], UUID],
    ) -> None:
        self.terms = terms
        self._cache = cache
        self._accounts = accounts
        self._units = units
        self._grants = grants
        self._bounds = bounds
        self._clock = clock
        self._new_id = new_id

    async def open(self, account: Account, origin: Origin, methods: tuple[str, ...]) -> OpenedSession:
        """Begin a session of an account that has proved itself by these methods. Its epoch is the one that was proved.

        Raises:
            Unavailable: Redis is gone.
        """
        now = self._clock.now()
        secret = secrets.token_urlsafe(32)
        session = LoginSession(
            id=str(self._new_id()),
            digest=digest_of(secret),
            user_id=account.id,
            epoch=account.session_epoch,
            created_at=now,
            authenticated_at=now,
            last_seen_at=now,
            ip=origin.ip,
            user_agent=origin.user_agent,
            methods=methods,
        )
        await self._cache.put(session)
        await self._make_room(account.id)
        return OpenedSession(session, account, secret)

    async def _make_room(self, user_id: str) -> None:
        # Not refused: whoever knows the password could fill the account up and shut its owner out.
        for oldest in sorted(await self.list_of(user_id), key=_begun)[: -self._bounds.sessions]:
            await self._end(oldest, AuditAction.SESSION_REVOKED)

    async def look(self, secret: str) -> tuple[LoginSession, Account] | None:
        """Return the live session of a secret with its account, and note its use.

        Raises:
            Unavailable: Redis or PostgreSQL is gone.
        """
        session = await self._cache.find(digest_of(secret))
        now = self._clock.now()
        if session is None or not self.terms.is_live(session, now):
            return None
        account = await self._accounts.find(session.user_id)
        if account is None or not session.belongs_to(account):
            return None
        if now - session.last_seen_at >= self.terms.seen_every:
            session = await self._cache.touch(session, now)
        return session, account

    def is_fresh(self, session: LoginSession) -> bool:
        """Tell whether its holder has proved lately who they are."""
        return is_fresh(session.authenticated_at, self._clock.now())

    async def find(self, secret: str) -> Session | None:
        """Return the live session of a cookie's secret, as OAuth sees it."""
        found = await self.look(secret)
        if found is None:
            return None
        session, account = found
        proved = (session.authenticated_at, account.is_admin, session.methods, session.epoch)
        return Session(session.id, account.id, account.email, *proved)

    async def list_of(self, user_id: str) -> list[LoginSession]:
        """Return a user's live sessions, the last used first."""
        check_id(user_id, param="user_id", noun="user")
        account = await self._accounts.find(user_id)
        now = self._clock.now()
        live = [
            session
            for session in await self._cache.of_user(user_id)
            if account is not None and session.belongs_to(account) and self.terms.is_live(session, now)
        ]
        return sorted(live, key=lambda session: session.last_seen_at, reverse=True)

    async def log_out(self, secret: str) -> None:
        """End a session and what was granted in it; nothing happens when there is none."""
        session = await self._cache.find(digest_of(secret))
        if session is not None:
            await self._end(session, AuditAction.USER_LOGGED_OUT)

    async def revoke(self, user_id: str, session_id: str) -> None:
        """End one of a user's sessions by its public id.

        Raises:
            NotFound: the user has no such session.
        """
        check_id(session_id, param="id", noun="session")
        found = [session for session in await self.list_of(user_id) if session.id == session_id]
        if not found:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such session.", param="id")
        await self._end(found[0], AuditAction.SESSION_REVOKED)

    async def _end(self, session: LoginSession, action: AuditAction) -> None:
        # Removed first: when the process dies here the session is over, and what it granted can still be revoked.
        await self._cache.remove([session])
        async with self._units.begin(Origin()) as unit:
            await self.end_granted(unit, [session])
            unit.note(action, session.user_id, session_id=session.id)

    async def end_granted(self, unit: AccountUnit, sessions: list[LoginSession]) -> None:
        """Within a unit of work: have the gateways told that sessions ended, and end what was granted in them."""
        await unit.revoke_sessions(sessions)
        for session in sessions:
            await self._grants.end_of_session(unit, session.id)

    async def replaced(self, secret: str) -> list[LoginSession]:
        """Return the session that a new login replaces, whoever's it is. Redis is asked in any case."""
        session = await self._cache.find(digest_of(secret))
        return [] if session is None else [session]

    async def others(self, user_id: str, keep_secret: str = "") -> list[LoginSession]:
        """Return the sessions that end when a password changes; nothing while Redis is gone: the epoch ends them."""
        try:
            sessions = await self._cache.of_user(user_id)
        except Unavailable as exc:
            log.warning("auth.sessions_not_listed", reason=exc.reason.value)
            return []
        kept = digest_of(keep_secret)
        return [session for session in sessions if session.digest != kept]

    async def forget(self, sessions: list[LoginSession]) -> None:
        """Remove sessions that the database already calls over. Never fails: at worst they expire by themselves."""
        try:
            await self._cache.remove(sessions)
        except Unavailable as exc:
            log.warning("auth.sessions_not_removed", reason=exc.reason.value)

    async def keep(self, user_id: str, secret: str, epoch: int) -> None:
        """Let one session of the user outlive a change of password; without Redis it ends with the others."""
        try:
            session = await self._cache.find(digest_of(secret)) if secret else None
            if session is not None and session.user_id == user_id and session.epoch == epoch - 1:
                await self._cache.move_to_epoch(session.digest, epoch)
        except Unavailable as exc:
            log.warning("auth.session_not_kept", reason=exc.reason.value)

    async def note_proof(self, session: LoginSession) -> None:
        """Note that the holder has proved once more who they are."""
        await self._cache.note_proof(session.digest, self._clock.now())

    async def count(self) -> None:
        """Export how many sessions are live."""
        metrics.ACTIVE_SESSIONS.set(await self._cache.count_live(self._clock.now()))
