"""Grants without a browser: client credentials, and exchange of release 1.0 tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from servicekit.clock import Clock
from servicekit.errors import Unauthenticated
from servicekit.trust import jwt
from services.auth.oauth.audit_events import issue_event
from services.auth.oauth.domain.claims import AccessClaims
from services.auth.oauth.domain.client import Client, GrantType
from services.auth.oauth.domain.grant import GRANT_OVER, Allowance, Grant, GrantKind, PartyGone, granted
from services.auth.oauth.domain.refusal import OAuthError, OAuthRefusal, invalid_grant, invalid_request
from services.auth.oauth.domain.scope_parameter import own_scopes_for, scopes_for, still_granted
from services.auth.oauth.domain.token import Token
from services.auth.oauth.flows.client_limit import ClientLimit
from services.auth.oauth.store.grants import GrantStore, upsert_machine_grant
from services.auth.oauth.tokens.token_signing import TokenSigner
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.identifier import MAX_ID_LENGTH
from services.auth.shared.domain.scope import DEFAULT_KEY_SCOPES, IDENTITY_SCOPES, Scope, known_scopes
from services.auth.shared.store.accounts import AccountStore
from services.auth.shared.store.unit_of_work import UnitOfWork, UnitsOfWork

log = structlog.get_logger()

ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"
SUBJECT_TYPES: Final = frozenset({"urn:ietf:params:oauth:token-type:jwt", ACCESS_TOKEN})
# Release 1.0 gave tokens of up to a year; a longer one was not made by it.
LONGEST_LIFE: Final = timedelta(days=367)
LEGACY_FORM: Final = jwt.Expected(types=frozenset({"", "jwt"}), issuer=None, audience=None)


@dataclass(frozen=True, slots=True)
class LegacyTerms:
    """Which tokens of release 1.0 are exchanged, and until when.

    Args:
        secret: what they are signed with; "": none are exchanged.
        issuer: their `iss`; "": they have none.
        until: the end of the exchange; None: none are exchanged.
    """

    secret: str = field(repr=False)
    issuer: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class _Wish:
    """A token to be issued: the grant's full allowance, the scopes of this token, and its end, if any."""

    kind: GrantKind
    client: Client
    user_id: str
    allowed: frozenset[Scope]
    scopes: frozenset[Scope]
    ends_at: datetime | None = None
    thumbprint: str | None = None


class MachineGrants:
    """Grants without refresh tokens; each client and user have one."""

    def __init__(
        self,
        grants: GrantStore,
        units: UnitsOfWork,
        accounts: AccountStore,
        token_signer: TokenSigner,
        limit: ClientLimit,
        *,
        legacy: LegacyTerms,
        clock: Clock,
        new_id: Callable[[], UUID],
    ) -> None:
        self._grants = grants
        self._units = units
        self._accounts = accounts
        self._token_signer = token_signer
        self._limit = limit
        self._legacy = legacy
        self._legacy_keys = {"": jwt.shared_secret(legacy.secret)} if legacy.secret else {}
        self._clock = clock
        self._new_id = new_id

    def takes_legacy_tokens(self) -> bool:
        """Tell whether tokens of release 1.0 can be exchanged now."""
        until = self._legacy.until
        return bool(self._legacy_keys) and until is not None and self._clock.now() < until

    async def act_for_itself(self, client: Client, scope: str | None, thumbprint: str | None) -> Token:
        """Return a token of a client in its own name; its owner pays.

        Raises:
            OAuthRefusal: unauthorized_client: it has no secret or no owner; invalid_scope.
        """
        if not client.is_confidential or client.owner_user_id is None:
            raise OAuthRefusal(OAuthError.UNAUTHORIZED_CLIENT, "This client may not act in its own name.")
        scopes = own_scopes_for(scope, client.scopes)
        allowed = client.scopes - IDENTITY_SCOPES
        wish = _Wish(GrantKind.CLIENT_CREDENTIALS, client, client.owner_user_id, allowed, scopes, thumbprint=thumbprint)
        return await self._issue(wish, AuditAction.TOKEN_ISSUED, GrantType.CLIENT_CREDENTIALS)

    async def exchange(
        self, client: Client, subject_token: str, subject_type: str, scope: str | None, thumbprint: str | None
    ) -> Token:
        """Return a 1.1 token for a token of release 1.0 (RFC 8693). Each use is logged.

        Raises:
            OAuthRefusal: invalid_request: the token is not one, or was withdrawn (RFC 8693 2.2.2); invalid_scope;
                temporarily_unavailable: this user's were exchanged too often.
        """
        if subject_type not in SUBJECT_TYPES:
            raise invalid_request("The subject_token_type is not supported.")
        user_id, issued_at, ends_at = self._read_legacy(subject_token)
        await self._limit.count_exchange(user_id)
        ended = await self._grants.last_ended(user_id, GrantKind.TOKEN_EXCHANGE)
        if ended is not None and (issued_at is None or issued_at <= ended):
            raise invalid_request("The subject_token is not valid.")
        allowed = client.scopes & DEFAULT_KEY_SCOPES
        scopes = scopes_for(scope, allowed)
        if await self._accounts.find_usable(user_id) is None:
            raise invalid_request("The subject_token is not valid.")
        log.warning("auth.legacy_token_exchanged", user_id=user_id, client_id=client.id)
        wish = _Wish(GrantKind.TOKEN_EXCHANGE, client, user_id, allowed, scopes, ends_at, thumbprint)
        return await self._issue(wish, AuditAction.TOKEN_EXCHANGED, GrantType.TOKEN_EXCHANGE)

    def _read_legacy(self, token: str) -> tuple[str, datetime | None, datetime]:
        now = self._clock.now()
        try:
            claims = jwt.verify(token, self._legacy_keys, LEGACY_FORM, now)
        except Unauthenticated as exc:
            raise invalid_request("The subject_token is not valid.") from exc
        if claims.get("iss", "") != self._legacy.issuer:
            raise invalid_request("The subject_token is of another issuer.")
        user_id = claims.get("sub", claims.get("user_id"))
        if not isinstance(user_id, str) or not 1 <= len(user_id) <= MAX_ID_LENGTH or not user_id.isprintable():
            raise invalid_request("The subject_token names no user.")
        if claims["exp"] > (now + LONGEST_LIFE).timestamp():
            raise invalid_request("The subject_token lives longer than any of release 1.0.")
        ends_at = datetime.fromtimestamp(float(claims["exp"]), now.tzinfo)
        # Nor does what is given for it outlive the exchange.
        return user_id, _issued_at(claims, now), min(ends_at, self._legacy.until or ends_at)

    def _grant(self, wish: _Wish, account: Account) -> Grant:
        now, grant_id = self._clock.now(), str(self._new_id())
        own = wish.kind is GrantKind.CLIENT_CREDENTIALS
        allowance = Allowance(still_granted(wish.allowed, account))
        powers = granted(wish.client, allowance, in_its_own_name=own, owner_is_admin=account.is_admin)
        return Grant(
            id=grant_id,
            kind=wish.kind,
            client_id=wish.client.id,
            user_id=wish.user_id,
            consent_id=grant_id,
            allowance=Allowance(known_scopes(powers.scopes), powers.models),
            session_id=None,
            authenticated_at=None,
            created_at=now,
            expires_at=powers.expires_at,
            last_used_at=now,
            ip_allow_list=powers.ip_allow_list,
        )

    async def _issue(self, wish: _Wish, action: AuditAction, grant_type: GrantType) -> Token:
        key, now, jti = await self._token_signer.ready(), self._clock.now(), str(self._new_id())
        account = await self._accounts.find_usable(wish.user_id)
        if account is None or (Scope.ADMIN in wish.scopes and not account.is_admin):
            raise invalid_grant(GRANT_OVER)
        wanted = self._grant(wish, account)

        async def upsert(unit: UnitOfWork) -> Grant:
            unit.record(issue_event(action, wanted, unit.at, jti))
            return await upsert_machine_grant(unit.connection, wanted)

        try:
            grant = await self._units.run(upsert)
        except PartyGone as exc:
            raise invalid_grant(GRANT_OVER) from exc
        issued_type = ACCESS_TOKEN if grant_type is GrantType.TOKEN_EXCHANGE else ""
        access = AccessClaims(grant, wish.scopes, account.tier, jti, now, wish.ends_at, wish.thumbprint)
        return self._token_signer.make(key, access, grant_type, issued_token_type=issued_type)


def _issued_at(claims: dict[str, Any], now: datetime) -> datetime | None:
    issued_at = claims.get("iat")
    return None if issued_at is None else datetime.fromtimestamp(max(0.0, float(issued_at)), now.tzinfo)
