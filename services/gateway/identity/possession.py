"""Whether the sender holds the key that its access token is bound to (RFC 9449 7)."""

from __future__ import annotations

from typing import Final

from starlette.types import Scope

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, Unauthenticated
from servicekit.trust.dpop import BadProof, Proof, read_proof
from services.gateway.clients.caller import Caller
from services.gateway.clients.oauth_views import IssuerKeys
from services.gateway.edge.header_values import plain_value
from services.gateway.edge.request_context import RequestContext
from services.gateway.identity.access_tokens import AccessTokenVerifier
from services.gateway.identity.key_sets import KeySet
from services.gateway.identity.token_claims import invalid_token
from services.gateway.identity.used_proofs import UsedProofs

# Of the nonces that auth publishes: the one before, the current one, the next.
CURRENT: Final = 1


class PossessionCheck:
    """Tells who holds a bound access token, and sees the proof of it."""

    def __init__(self, tokens: AccessTokenVerifier, key_set: KeySet, used: UsedProofs, clock: Clock) -> None:
        self._tokens = tokens
        self._key_set = key_set
        self._used = used
        self._clock = clock

    async def caller(self, token: bytes, context: RequestContext) -> Caller:
        """Return who holds the token and its key.

        Raises:
            Unauthenticated: INVALID_TOKEN: the token is not valid, or is bound to no key or to another one;
                INVALID_DPOP_PROOF, USE_DPOP_NONCE: see `check`.
            Unavailable: it cannot be checked at the moment.
        """
        # The token first: whoever has none makes us verify no signature of their own and remember nothing.
        caller = await self._tokens.caller(token, context.call)
        await self.check(token, caller.key_thumbprint, context)
        return caller

    async def check(self, token: bytes, thumbprint: str, context: RequestContext) -> None:
        """Return when the request proves that its sender holds the key of the token.

        Raises:
            Unauthenticated: INVALID_DPOP_PROOF: it does not; USE_DPOP_NONCE: it needs one of our nonces, which the
                answer has; INVALID_TOKEN: it is another key.
        """
        published = await self._key_set.published()
        nonces = published.dpop_nonces
        if nonces:
            context.headers.append((b"dpop-nonce", plain_value(nonces[CURRENT])))
        proof = self._read(token, context, published)
        if proof.thumbprint != thumbprint:
            raise invalid_token()
        if nonces and proof.nonce not in nonces:
            raise Unauthenticated(ErrorReason.USE_DPOP_NONCE, "Send a DPoP proof with the nonce of this answer.")
        if not await self._used.use(proof):
            raise _bad("This DPoP proof was used before.")

    def _read(self, token: bytes, context: RequestContext, published: IssuerKeys) -> Proof:
        text = proof_in(context.scope)
        if not text:
            raise _bad("A token that is bound to a key needs a DPoP proof.")
        # Not from the Host header: a proof for another server is none for us.
        url = published.issuer + context.scope["raw_path"].decode("latin-1")
        try:
            # The method that was sent: the routes see HEAD as GET.
            return read_proof(
                text, method=context.method, urls=(url,), now=self._clock.now(), access_token=token.decode()
            )
        except BadProof as exc:
            raise _bad(str(exc)) from exc


def proof_in(scope: Scope) -> str:
    """Return the value of the DPoP header, "" when there is none; of two headers what can be no proof."""
    return ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"dpop")


def _bad(message: str) -> Unauthenticated:
    return Unauthenticated(ErrorReason.INVALID_DPOP_PROOF, message)
