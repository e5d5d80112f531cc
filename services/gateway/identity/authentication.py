"""Bearer credential -> Caller."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from starlette.types import Scope

from servicekit.call import CallContext
from servicekit.errors import ErrorReason, InvalidRequest, PermissionDenied, Unauthenticated
from servicekit.fairness.hosts import Address, address_of
from services.gateway.clients.caller import Caller
from services.gateway.edge.request_context import RequestContext, is_dpop
from services.gateway.identity.access import Need, Open, check_proof, check_scope
from services.gateway.identity.access_tokens import AccessTokenVerifier, is_token
from services.gateway.identity.key_cache import KeyCache
from services.gateway.identity.possession import PossessionCheck
from services.gateway.identity.token_claims import invalid_token
from services.gateway.settings import Network

MAX_KEY_LENGTH: Final = 512
MAX_TOKEN_LENGTH: Final = 8192
BEARER: Final = b"bearer"
VerifyApiKey = Callable[[str, CallContext], Awaitable[Caller]]


class Authenticator:
    """Tells who calls, and refuses who may not."""

    def __init__(
        self,
        verify: VerifyApiKey,
        cache: KeyCache,
        tokens: AccessTokenVerifier,
        possession: PossessionCheck,
        *,
        trusted: Sequence[Network],
    ) -> None:
        self._verify = verify
        self._cache = cache
        self._tokens = tokens
        self._possession = possession
        self._trusted = tuple(trusted)

    async def enter(self, context: RequestContext, need: Need) -> None:
        """Authenticate the request for a route that needs `need`; afterwards it has a caller.

        Raises:
            Unauthenticated: no credential, or one that does not count.
            PermissionDenied: the scope is missing, or the address is not on the key's list.
            Unavailable: the credential cannot be checked at the moment.
        """
        if need is Open.EVERYONE:
            return
        if context.caller is not None:
            # A page of ours asks in the name of whoever is logged in.
            check_scope(context.caller, need)
            check_proof(context.caller, need)
            return
        if b"access_token=" in context.scope["query_string"]:
            # RFC 9700 4.3.2: addresses end up in logs and histories.
            raise InvalidRequest(
                ErrorReason.INVALID_REQUEST, "Credentials belong into the Authorization header, not into the address."
            )
        scheme, _, given = context.authorization.partition(b" ")
        if scheme.lower() != BEARER:
            caller = await self._possession.caller(token_of_dpop(context.authorization), context)
        elif is_token(credential := _credential(given)):
            caller = await self._tokens.caller(credential, context.call)
        else:
            digest = self._cache.digest(credential)
            caller = await self._cache.get(digest, lambda: self._verify(credential.decode(), context.call))
        context.caller = caller
        if caller.networks:
            self._check_address(caller, context.scope)
        check_scope(caller, need)

    def _check_address(self, caller: Caller, scope: Scope) -> None:
        address = client_address(scope, self._trusted)
        if address is None or not _within(address, caller.networks):
            raise PermissionDenied(ErrorReason.IP_NOT_ALLOWED, "This credential may not be used from this address.")


def bearer_of(authorization: bytes) -> bytes:
    """Return the key or access token in an Authorization header.

    Raises:
        Unauthenticated: there is none, or it cannot be one.
    """
    scheme, _, given = authorization.partition(b" ")
    if scheme.lower() != BEARER:
        raise _no_credential(authorization)
    return _credential(given)


def _no_credential(authorization: bytes) -> Unauthenticated:
    message = "An API key or access token is needed: send it as `Authorization: Bearer <key>`."
    if authorization:
        message = "The Authorization header must have the form `Bearer <key>`."
    return Unauthenticated(ErrorReason.AUTH_REQUIRED, message)


def _credential(given: bytes) -> bytes:
    key = given.strip()
    longest = MAX_TOKEN_LENGTH if is_token(key) else MAX_KEY_LENGTH
    if not key or len(key) > longest or not _printable(key):
        raise Unauthenticated(ErrorReason.INVALID_KEY, "The API key is not valid.")
    return key


def token_of_dpop(authorization: bytes) -> bytes:
    """Return the access token of such a header.

    Raises:
        Unauthenticated: AUTH_REQUIRED: it is no such header; INVALID_TOKEN: there is no token in it.
    """
    if not is_dpop(authorization):
        raise _no_credential(authorization)
    token = authorization.partition(b" ")[2].strip()
    if not is_token(token) or len(token) > MAX_TOKEN_LENGTH or not _printable(token):
        raise invalid_token()
    return token


def _printable(key: bytes) -> bool:
    # Keys of release 1.0 are any text without spaces; control characters were never in them.
    return key.isascii() and key.decode().isprintable() and b" " not in key


def client_address(scope: Scope, trusted: Sequence[Network]) -> Address | None:
    """Return where the request comes from; X-Forwarded-For is believed only from trusted proxies, right to left."""
    peer = address_of(scope["client"][0]) if scope.get("client") else None
    if peer is None or not _within(peer, trusted):
        return peer
    hops = [hop for name, value in scope["headers"] if name == b"x-forwarded-for" for hop in value.split(b",")]
    for hop in reversed(hops):
        address = address_of(hop.decode("latin-1").strip())
        if address is None:
            return None
        if not _within(address, trusted):
            return address
        peer = address
    return peer


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
