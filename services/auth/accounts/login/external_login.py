"""Login through an external OpenID provider. An identity is issuer and subject; an address alone proves nothing."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID

from servicekit.clock import Clock
from servicekit.errors import (
    Conflict,
    ErrorReason,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    invalid_parameter,
)
from services.auth.accounts import metrics
from services.auth.accounts.cache.pending_logins import PendingLogins
from services.auth.accounts.cache.sessions import digest_of
from services.auth.accounts.domain.email_address import check_email
from services.auth.accounts.domain.external_identity import ExternalIdentity, PendingLogin
from services.auth.accounts.domain.new_account import NewAccount
from services.auth.accounts.domain.profile import DEFAULT_LANGUAGE, MAX_NAME
from services.auth.accounts.login.login_completion import LoginCompletion
from services.auth.accounts.sessions import LoginSessions, OpenedSession
from services.auth.accounts.store.accounts import insert_account, verify_email
from services.auth.accounts.store.external_identities import link_identity, use_identity
from services.auth.accounts.store.mailed_tokens import end_registrations
from services.auth.accounts.store.unit_of_work import AccountUnit, AccountUnits
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.origin import Origin
from services.auth.shared.domain.session import Session, must_prove
from services.auth.shared.store.accounts import find_account_by_email, lock_account

if TYPE_CHECKING:
    from services.auth.accounts.login.openid_provider import OpenIdProvider

MAX_RETURN_TO: Final = 2048
MAX_CODE: Final = 4096


@dataclass(frozen=True, slots=True)
class LoginStart:
    """Where to redirect the browser, and the cookie that binds its return to it."""

    redirect_url: str
    state_cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FinishedLogin:
    """Who logged in, and where they wanted to go."""

    opened: OpenedSession
    return_to: str


class ExternalLogin:
    """Use cases of external providers."""

    def __init__(
        self,
        providers: Iterable[OpenIdProvider],
        pending: PendingLogins,
        units: AccountUnits,
        completion: LoginCompletion,
        sessions: LoginSessions,
        *,
        clock: Clock,
        new_id: Callable[[], UUID],
    ) -> None:
        self._providers = {provider.terms.id: provider for provider in providers}
        self._pending = pending
        self._units = units
        self._completion = completion
        self._sessions = sessions
        self._clock = clock
        self._new_id = new_id

    def providers(self) -> list[tuple[str, str]]:
        """Return the id and the name of each provider."""
        return [(provider.terms.id, provider.terms.name) for provider in self._providers.values()]

    async def start(self, provider_id: str, return_to: str, redirect_uri: str) -> LoginStart:
        """Send a browser away.

        Raises:
            NotFound: there is no such provider.
            InvalidRequest: `return_to` is too long.
            ProviderFailed: the provider cannot be reached.
        """
        provider = self._provider(provider_id)
        if len(return_to) > MAX_RETURN_TO:
            raise invalid_parameter("return_to", "This is too long.")
        state, nonce, cookie = (secrets.token_urlsafe(32) for _ in range(3))
        verifier = secrets.token_urlsafe(48)
        url = await provider.authorize_url(redirect_uri=redirect_uri, state=state, nonce=nonce, verifier=verifier)
        pending = PendingLogin(provider_id, digest_of(cookie), nonce, verifier, redirect_uri, return_to)
        await self._pending.put(state, pending)
        return LoginStart(url, cookie)

    async def finish(
        self,
        provider_id: str,
        params: Iterable[tuple[str, str]],
        *,
        cookie: str,
        redirect_uri: str,
        previous_secret: str,
        origin: Origin,
    ) -> FinishedLogin:
        """Open a session for whoever comes back with what was sent to the provider.

        Raises:
            NotFound: there is no such provider.
            Unauthenticated: INVALID_TOKEN: unknown, used or expired state, another browser's, or the person said no.
            ProviderFailed: the provider did not confirm who it is.
            PermissionDenied: a new person whose address the provider does not vouch for.
            Conflict: an account has the address, and this browser is not freshly logged in to it.
        """
        provider = self._provider(provider_id)
        given = _single(params)
        pending = await self._take(provider_id, given, cookie, redirect_uri)
        # RFC 9207: an answer of another provider than the one that was asked.
        issuer = provider.terms.issuer
        if issuer and given.get("iss", issuer) != issuer:
            raise _bad_return()
        code = given.get("code", "")
        if "error" in given or not 1 <= len(code) <= MAX_CODE:
            metrics.LOGINS.labels("external_denied").inc()
            raise Unauthenticated(ErrorReason.INVALID_TOKEN, "The provider did not log you in.")
        identity = await provider.identify(
            code=code, redirect_uri=pending.redirect_uri, nonce=pending.nonce, verifier=pending.verifier
        )
        replaced = await self._completion.replaced_by_login(previous_secret)
        present = await self._sessions.find(previous_secret) if previous_secret else None
        async with self._units.begin(origin) as unit:
            account = await self._account_of(unit, identity, present)
            await self._completion.record(unit, account, origin, replaced, by=f"external:{provider_id}")
        return FinishedLogin(await self._completion.open(account, origin, replaced, ("fed",)), pending.return_to)

    def _provider(self, provider_id: str) -> OpenIdProvider:
        if provider_id not in self._providers:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such provider.", param="provider_id")
        return self._providers[provider_id]

    async def _take(self, provider_id: str, given: Mapping[str, str], cookie: str, redirect_uri: str) -> PendingLogin:
        pending = await self._pending.take(given.get("state", ""))
        if pending is None or pending.provider_id != provider_id or pending.redirect_uri != redirect_uri:
            raise _bad_return()
        if not hmac.compare_digest(pending.cookie_hash, digest_of(cookie)):
            raise _bad_return()
        return pending

    async def _account_of(self, unit: AccountUnit, identity: ExternalIdentity, present: Session | None) -> Account:
        user_id = await use_identity(unit.connection, identity.issuer, identity.subject, unit.at)
        if user_id is None:
            user_id = await self._new_holder(unit, identity, present)
        account = await lock_account(unit.connection, user_id)
        if account is None or not account.is_usable:
            raise Unauthenticated(ErrorReason.INVALID_CREDENTIALS, "This account may not be used.")
        return account

    async def _new_holder(self, unit: AccountUnit, identity: ExternalIdentity, present: Session | None) -> str:
        if not identity.email_verified:
            raise PermissionDenied(
                ErrorReason.PERMISSION_DENIED,
                "The provider does not vouch for your e-mail address. Register with the address first.",
                details={"problem": "email_not_verified"},
            )
        holder = await find_account_by_email(unit.connection, check_email(identity.email))
        if holder is not None:
            self._check_linkable(holder, present)
        user_id = holder.id if holder is not None else await self._make_account(unit, identity)
        await verify_email(unit.connection, user_id, unit.at)
        if not await link_identity(unit.connection, identity.issuer, identity.subject, user_id, unit.at):
            # Two first logins of one person at once: the other one made it.
            raise Conflict(ErrorReason.CONFLICT, "You are logging in elsewhere at this moment. Try again.")
        unit.note(AuditAction.IDENTITY_LINKED, user_id, issuer=identity.issuer)
        return user_id

    def _check_linkable(self, holder: Account, present: Session | None) -> None:
        # Another provider's word for an address is no proof of being the account's owner.
        try:
            if present is None:
                raise must_prove()
            present.check_fresh(holder.id, self._clock.now())
        except Unauthenticated as exc:
            raise Conflict(
                ErrorReason.CONFLICT,
                "There is an account with this address. Log in to it first, then choose the provider again.",
                details={"problem": "account_exists"},
            ) from exc

    async def _make_account(self, unit: AccountUnit, identity: ExternalIdentity) -> str:
        name = identity.name.strip()[:MAX_NAME]
        email = check_email(identity.email)
        new = NewAccount(
            str(self._new_id()), email, name if name.isprintable() else "", DEFAULT_LANGUAGE, password_hash=None
        )
        if not await insert_account(unit.connection, new, unit.at):
            raise Conflict(ErrorReason.CONFLICT, "You are logging in elsewhere at this moment. Try again.")
        await end_registrations(unit.connection, email)
        unit.note(AuditAction.USER_CREATED, new.id, tier=new.tier.value)
        metrics.USERS_CREATED.inc()
        return new.id


def _single(params: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the parameters; one that comes twice is nobody's answer (RFC 6749 3.1)."""
    given: dict[str, str] = {}
    for name, value in params:
        if name in given:
            raise _bad_return()
        given[name] = value
    return given


def _bad_return() -> Unauthenticated:
    return Unauthenticated(ErrorReason.INVALID_TOKEN, "This login was begun elsewhere, or is over. Try again.")
