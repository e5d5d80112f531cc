"""Calls in a user's name must carry a valid credential of that user: the gateway's word is not enough.

A stolen or mistaken gateway can thus act only for those whose credentials it is shown while it is stolen. An operator's
certificate speaks for itself. Without TLS, which only a local suite may do without, callers are not told apart, and
nothing is asked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from servicekit.errors import ErrorReason, PermissionDenied, Unauthenticated
from servicekit.rpc_client import CREDENTIAL
from servicekit.trust.callers import names_of
from servicekit.trust.user_context import UserRow
from services.auth.keys.verification import KeyVerifier
from services.auth.oauth.tokens.inspection import TokenReader
from services.auth.shared.domain.scope import in_person
from services.auth.shared.domain.session import Sessions
from services.auth.shared.rpc_values import OPERATOR_NAME, Context

# As the gateway was shown them; a login session has no scheme of its own in HTTP.
KEY_OR_TOKEN: Final = frozenset({"bearer", "dpop"})
SESSION: Final = "session"


@dataclass(frozen=True, slots=True)
class Holder:
    """The owner of a credential, and the credential: `key:<id>`, `grant:<id>`, "" for a session."""

    user_id: str
    subject: str = ""
    scopes: frozenset[str] = frozenset()


class Holders:
    """Finds the owners of credentials."""

    def __init__(self, keys: KeyVerifier, tokens: TokenReader, sessions: Sessions) -> None:
        self._keys = keys
        self._tokens = tokens
        self._sessions = sessions

    async def check(self, request: Any, row: UserRow, context: Context) -> None:
        """Return when the call shows a live credential of the user that the request names, with the scope it takes.

        Raises:
            Unauthenticated: the credential does not count (any more).
            PermissionDenied: there is none, it is another user's, it may not do this, or it is not the maker that the
                request names.
        """
        names = names_of(context)
        if not names or OPERATOR_NAME in names:
            return
        holder = await self.find(context)
        if holder.user_id != getattr(request, row.field) or not _is_maker(request, holder):
            raise _denied()
        if row.scope not in holder.scopes:
            raise PermissionDenied(ErrorReason.INSUFFICIENT_SCOPE, f"This needs the scope {row.scope}.")

    async def find(self, context: Context) -> Holder:
        """Return whose live credential a call shows.

        Raises:
            Unauthenticated: the credential does not count (any more).
            PermissionDenied: there is none.
        """
        credential = _shown(context)
        scheme, _, secret = credential.partition(" ")
        kind, secret = scheme.lower(), secret.strip()
        if kind == SESSION:
            session = await self._sessions.find(secret)
            if session is None:
                raise Unauthenticated(ErrorReason.INVALID_CREDENTIALS, "The session is over.")
            return Holder(session.user_id, scopes=frozenset(in_person(is_admin=session.is_admin)))
        if kind not in KEY_OR_TOKEN:
            raise _denied()
        # As the gateway tells them apart: keys of release 1.0 may have dots.
        is_token = secret.startswith("eyJ") and secret.count(".") == 2
        return await (self._of_token(secret) if is_token else self._of_key(secret))

    async def _of_key(self, secret: str) -> Holder:
        caller = await self._keys.verify(secret)
        return Holder(caller.user_id, f"key:{caller.key_id}", frozenset(caller.scopes))

    async def _of_token(self, token: str) -> Holder:
        _, grant, scopes = await self._tokens.read_with_grant(token)
        return Holder(grant.user_id, f"grant:{grant.id}", frozenset(scopes))


def _shown(context: Context) -> str:
    for name, value in context.invocation_metadata() or ():
        if name == CREDENTIAL and isinstance(value, bytes):
            return value.decode("latin-1")
    return ""


def _is_maker(request: Any, holder: Holder) -> bool:
    maker = getattr(request, "maker", None)
    if maker is None or not request.HasField("maker"):
        return True
    return bool(holder.subject) and maker.subject == holder.subject and holder.scopes.issuperset(maker.scopes)


def _denied() -> PermissionDenied:
    return PermissionDenied(ErrorReason.PERMISSION_DENIED, "The call shows no credential of the user it names.")
