"""Access token -> Caller: verified here, remembered by digest, joined with what its grant allows now."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from servicekit.call import CallContext
from servicekit.clock import Clock
from servicekit.errors import ServiceError, Unauthenticated
from services.gateway.clients.caller import Caller
from services.gateway.identity import metrics
from services.gateway.identity.key_cache import KeyCache
from services.gateway.identity.key_sets import KeySet
from services.gateway.identity.revoked import Revoked
from services.gateway.identity.token_claims import AccessToken, invalid_token, token_of

MAX_ENTRIES: Final = 20_000
GRANT_SUBJECT: Final = "grant:"
# (grant id, user id or "" when the client acts in its own name) -> what the grant allows.
GetGrant = Callable[[str, str, CallContext], Awaitable[Caller]]


class _Known:
    """A verified token and the caller it made with the grant as it was last told."""

    __slots__ = ("caller", "grant", "token")

    def __init__(self, token: AccessToken) -> None:
        self.token = token
        self.grant: Caller | None = None
        self.caller: Caller | None = None


class AccessTokenVerifier:
    """Tells who holds an access token.

    Args:
        key_set: verifies signatures.
        get_grant: asks what a grant allows.
        grants: remembers that.
        revoked: what ended early.
        clock: tells the time.
        bound: which tokens count: those bound to a key, or those that whoever bears them may use. Never both: in a
            memory of their own, bound ones cost the others no question.
    """

    def __init__(
        self,
        key_set: KeySet,
        get_grant: GetGrant,
        grants: KeyCache,
        revoked: Revoked,
        clock: Clock,
        *,
        bound: bool = False,
    ) -> None:
        self._bound = bound
        self._key_set = key_set
        self._get_grant = get_grant
        self._grants = grants
        self._revoked = revoked
        self._clock = clock
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    async def caller(self, token: bytes, call: CallContext) -> Caller:
        """Return who holds the token.

        Raises:
            Unauthenticated: it is not valid, not any more, or its grant is over.
            Unavailable: it cannot be checked at the moment.
        """
        digest = self._grants.digest(token)
        known = self._known.get(digest)
        if known is None or known.token.expires_at_s <= self._clock.now().timestamp():
            known = await self._verified(digest, token.decode())
        else:
            metrics.TOKEN_HIT.inc()
            self._known.move_to_end(digest)
        if self._revoked.covers(known.token):
            metrics.TOKEN_REVOKED.inc()
            raise invalid_token()
        caller = await self._with_grant(known, call)
        if self._revoked.covers(known.token):
            # It ended while the grant was asked for.
            raise invalid_token()
        return caller

    async def _verified(self, digest: bytes, token: str) -> _Known:
        self._known.pop(digest, None)
        try:
            known = _Known(self._of_our_kind(token_of(await self._key_set.verify(token))))
        except ServiceError as exc:
            (metrics.TOKEN_REFUSED if isinstance(exc, Unauthenticated) else metrics.TOKEN_UNAVAILABLE).inc()
            raise
        metrics.TOKEN_VERIFIED.inc()
        if len(self._known) >= MAX_ENTRIES:
            self._known.popitem(last=False)
        self._known[digest] = known
        return known

    def _of_our_kind(self, token: AccessToken) -> AccessToken:
        if bool(token.thumbprint) is not self._bound:
            raise invalid_token()
        return token

    async def _with_grant(self, known: _Known, call: CallContext) -> Caller:
        token = known.token
        name = token.grant_id.encode()
        grant = self._grants.fresh(name)
        if grant is None:
            grant = await self._grants.get(name, lambda: self._get_grant(token.grant_id, token.user_id, call))
        if known.caller is None or known.grant is not grant:
            if token.user_id and grant.user_id != token.user_id:
                raise invalid_token()
            known.grant = grant
            known.caller = replace(
                grant,
                scopes=grant.scopes & token.scopes,
                grant_id=counted_under(grant),
                token_grant_id=grant.grant_id,
                key_thumbprint=token.thumbprint,
                authenticated_at_s=token.authenticated_at_s,
            )
        return known.caller


def counted_under(grant: Caller) -> str:
    """Return the grant under which spending is booked: the one whose budget it is.

    An application that is authorized again without asking spends on from the first consent's budget. That is rebuilt
    from the usage rows, so they must name it.
    """
    subjects = (budget.subject for budget in grant.budgets if budget.subject.startswith(GRANT_SUBJECT))
    return next((subject.removeprefix(GRANT_SUBJECT) for subject in subjects), grant.grant_id)


def is_token(credential: bytes) -> bool:
    """Tell whether a credential is meant as a JWT; keys have no dots and begin otherwise."""
    return credential.startswith(b"eyJ") and credential.count(b".") == 2
