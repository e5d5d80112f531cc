"""The authorization endpoint: from the request, by way of login and consent, to the redirect."""

from __future__ import annotations

from dataclasses import dataclass

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound
from services.auth.oauth import metrics
from services.auth.oauth.audit_events import audit_event, current_address
from services.auth.oauth.cache.pending_requests import PendingCache
from services.auth.oauth.cache.pushed_requests import PushedRequests
from services.auth.oauth.clients import Clients
from services.auth.oauth.domain.authorization import (
    AuthorizationRequest,
    Decision,
    Pending,
    is_request_uri,
    read_request,
    reply_address,
)
from services.auth.oauth.domain.client import Client
from services.auth.oauth.domain.grant import Allowance, Grant, granted
from services.auth.oauth.domain.params import Params
from services.auth.oauth.domain.refusal import OAuthError, OAuthRefusal, invalid_request
from services.auth.oauth.domain.token import SecretKind, is_a, new_secret
from services.auth.oauth.flows.code_flow import OAuthService
from services.auth.oauth.store.grants import GrantStore
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.bounds import Bounds, check_room
from services.auth.shared.domain.origin import host_of
from services.auth.shared.domain.scope import Scope
from services.auth.shared.domain.session import Session, Sessions
from services.auth.shared.store.unit_of_work import UnitsOfWork


@dataclass(frozen=True, slots=True)
class ShowError:
    """Show the error without a redirect."""

    error: str
    description: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """Redirect the browser."""

    url: str


@dataclass(frozen=True, slots=True)
class AskUser:
    """Show the login page (no session) or the consent page."""

    pending_id: str
    client: Client
    request: AuthorizationRequest
    session: Session | None


Next = ShowError | Redirect | AskUser

EXPIRED = ShowError("expired", "This request is unknown, over or was decided already.")


class AuthorizationEndpoint:
    """Decides what an authorization request leads to."""

    def __init__(
        self,
        oauth: OAuthService,
        clients: Clients,
        sessions: Sessions,
        cache: PendingCache,
        pushed: PushedRequests,
        grants: GrantStore,
        units: UnitsOfWork,
        *,
        bounds: Bounds,
        issuer: str,
        clock: Clock,
    ) -> None:
        self._oauth = oauth
        self._clients = clients
        self._sessions = sessions
        self._cache = cache
        self._pushed = pushed
        self._grants = grants
        self._units = units
        self._bounds = bounds
        self._issuer = issuer
        self._clock = clock

    async def begin(self, params: Params, session_secret: str) -> Next:
        """Return what an authorization request leads to."""
        client = await self._clients.find(params.get("client_id"))
        is_pushed = is_request_uri(params.get("request_uri") or "")
        if is_pushed and client is not None:
            pushed = await self._pushed.take(params.require("request_uri"), client.id)
            if pushed is None:
                metrics.AUTHORISATIONS.labels("page").inc()
                return EXPIRED
            # Of what comes through the browser only the name counts (RFC 9126 4).
            params = pushed
        return await self._read(params, client, session_secret, is_pushed=is_pushed)

    async def _read(self, params: Params, client: Client | None, session_secret: str, *, is_pushed: bool) -> Next:
        try:
            reply_to = reply_address(params, client, self._issuer)
            assert client is not None
        except OAuthRefusal as refusal:
            metrics.AUTHORISATIONS.labels("page").inc()
            return ShowError(refusal.error.value, refusal.description)
        try:
            if client.requires_pushed and not is_pushed:
                raise invalid_request("This client must push its authorization requests.")
            request = read_request(params, client, reply_to, self._clock.now())
            return await self._advance(Pending(request, None), client, await self._session(session_secret), "")
        except OAuthRefusal as refusal:
            metrics.AUTHORISATIONS.labels("error").inc()
            return Redirect(reply_to.with_error(refusal))

    async def resume(self, pending_id: str, session_secret: str) -> Next:
        """Go on with a request that waited for a login."""
        pending = await self._cache.get(pending_id) if is_a(SecretKind.PENDING, pending_id) else None
        client = await self._clients.find(pending.request.client_id) if pending else None
        session = await self._session(session_secret)
        if pending is None or client is None:
            return EXPIRED
        if pending.session_id is not None and (session is None or session.id != pending.session_id):
            return EXPIRED
        try:
            return await self._advance(pending, client, session, pending_id)
        except OAuthRefusal as refusal:
            metrics.AUTHORISATIONS.labels("error").inc()
            return Redirect(pending.request.reply_to.with_error(refusal))

    async def decide(self, pending_id: str, session_secret: str, decision: Decision) -> str:
        """Take the user's decision, once; return where the browser goes.

        Raises:
            NotFound: the request is unknown, over, decided, or of another session.
            Conflict: the user has let in as many as there may be.
        """
        session = await self._session(session_secret)
        pending = await self._cache.get(pending_id) if is_a(SecretKind.PENDING, pending_id) else None
        if session is None or pending is None or pending.session_id != session.id:
            raise _no_such_request()
        # Of two posts of one form only one counts.
        if not await self._cache.drop(pending_id):
            raise _no_such_request()
        request = pending.request
        ticked = decision.allowance.scopes & request.scopes if decision.allowance.scopes else request.scopes
        if not decision.approved or not ticked:
            return await self._denied(request, session)
        client = await self._clients.find(request.client_id)
        if client is None:
            raise _no_such_request()
        metrics.CONSENTS.labels("given").inc()
        allowance = Allowance(ticked, decision.allowance.models, decision.allowance.budget)
        return await self._give_code(request, client, session, allowance, None)

    async def _advance(self, pending: Pending, client: Client, session: Session | None, pending_id: str) -> Next:
        request = pending.request
        if session is None or request.needs_login(session):
            if request.is_silent:
                raise OAuthRefusal(OAuthError.LOGIN_REQUIRED, "The user must log in.")
            return await self._ask(Pending(request, None), client, None, pending_id)
        request.check_assurance(session)
        if Scope.ADMIN in request.scopes and not session.is_admin:
            raise OAuthRefusal(OAuthError.INVALID_SCOPE, "This user cannot give the scope admin.")
        consent = await self._silent_consent(request, client, session)
        if consent is not None:
            allowance = Allowance(request.scopes, consent.allowance.models, consent.allowance.budget)
            return Redirect(await self._give_code(request, client, session, allowance, consent))
        if request.is_silent:
            raise OAuthRefusal(OAuthError.CONSENT_REQUIRED, "The user must consent.")
        # A new name at the binding: whoever knew the page before the login does not know it after.
        known = pending_id if pending.session_id is not None else ""
        return await self._ask(Pending(request, session.id), client, session, known)

    async def _silent_consent(self, request: AuthorizationRequest, client: Client, session: Session) -> Grant | None:
        # Anybody can call themselves by a public client's id, so its user is always asked (RFC 8252 8.6).
        if not client.is_confidential or "consent" in request.prompts:
            return None
        return await self._grants.find_consent(session.user_id, client.id, request.scopes, self._clock.now())

    async def _ask(self, pending: Pending, client: Client, session: Session | None, pending_id: str) -> AskUser:
        name = pending_id or new_secret(SecretKind.PENDING)
        await self._cache.put(name, pending, host_of(current_address()))
        metrics.AUTHORISATIONS.labels("consent" if session else "login").inc()
        return AskUser(name, client, pending.request, session)

    async def _give_code(
        self,
        request: AuthorizationRequest,
        client: Client,
        session: Session,
        allowance: Allowance,
        consent: Grant | None,
    ) -> str:
        granted(client, allowance, in_its_own_name=False, owner_is_admin=session.is_admin)
        there = await self._grants.count_live(session.user_id, self._clock.now())
        check_room(there, self._bounds.grants, "authorizations")
        metrics.AUTHORISATIONS.labels("code").inc()
        return await self._oauth.initiate_auth(
            request.client_id,
            request.code_challenge,
            request=request,
            session=session,
            allowance=allowance,
            consent=consent,
        )

    async def _denied(self, request: AuthorizationRequest, session: Session) -> str:
        metrics.CONSENTS.labels("denied").inc()
        await self._units.record(
            audit_event(
                AuditAction.CONSENT_DENIED,
                self._clock.now(),
                actor=f"user:{session.user_id}",
                subject=f"client:{request.client_id}",
            )
        )
        return request.reply_to.with_error(OAuthRefusal(OAuthError.ACCESS_DENIED, "The user said no."))

    async def _session(self, secret: str) -> Session | None:
        return await self._sessions.find(secret) if secret else None


def _no_such_request() -> NotFound:
    return NotFound(ErrorReason.NOT_FOUND, EXPIRED.description, param="pending_id")
