"""The pushed authorization request endpoint (RFC 9126): validates a request and stores it under a short-lived name."""

from __future__ import annotations

from typing import Any

from servicekit.clock import Clock
from services.auth.oauth.cache.pushed_requests import PushedRequests
from services.auth.oauth.domain.authorization import new_request_uri, read_request, reply_address
from services.auth.oauth.domain.params import Params
from services.auth.oauth.domain.refusal import OAuthError, OAuthRefusal, invalid_request
from services.auth.oauth.flows.client_authentication import ClientAuthenticator
from services.auth.oauth.flows.proof_check import ProofChecker

# What proves who the client is has no place in what waits for a browser.
CREDENTIALS = frozenset({"client_id", "client_secret", "dpop_jkt"})


class PushedAuthorization:
    """Accepts requests of clients that do not want to send them through the browser."""

    def __init__(
        self,
        authenticator: ClientAuthenticator,
        proofs: ProofChecker,
        pushed: PushedRequests,
        *,
        issuer: str,
        clock: Clock,
    ) -> None:
        self._authenticator = authenticator
        self._proofs = proofs
        self._pushed = pushed
        self._issuer = issuer
        self._clock = clock

    async def push(self, params: Params, authorization: str, proof: str) -> dict[str, Any] | OAuthRefusal:
        """Answer the endpoint: a name for the request, and how many seconds it is good for."""
        try:
            return await self._push(params, authorization, proof)
        except OAuthRefusal as refusal:
            return refusal

    async def _push(self, params: Params, authorization: str, proof: str) -> dict[str, Any]:
        params.check_unambiguous()
        client = await self._authenticator.authenticate(params, authorization)
        if params.get("request_uri") is not None:
            raise invalid_request("A pushed request has no request_uri.")
        thumbprint = await self._proofs.shown(proof, "/par")
        named = params.get("dpop_jkt")
        if thumbprint and named not in (None, thumbprint):
            raise OAuthRefusal(OAuthError.INVALID_DPOP_PROOF, "The dpop_jkt is not the key of the proof.")
        bound_to = thumbprint or named
        own = {"client_id": client.id, "dpop_jkt": bound_to or ""}
        request = params.changed(CREDENTIALS, own)
        try:
            reply_to = reply_address(request, client, self._issuer)
        except OAuthRefusal as refusal:
            # RFC 9126 2.3: here an address that is not registered is a bad request like any other.
            raise invalid_request(refusal.description) from refusal
        read_request(request, client, reply_to, self._clock.now())
        request_uri = new_request_uri()
        await self._pushed.put(request_uri, client.id, request)
        return {"request_uri": request_uri, "expires_in": self._pushed.ttl_s}
