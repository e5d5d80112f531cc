"""Checks DPoP proofs at the token endpoint and the other endpoints of clients (RFC 9449 5)."""

from __future__ import annotations

from servicekit.clock import Clock
from servicekit.trust.dpop import BadProof, read_proof
from services.auth.oauth.cache.used_proofs import UsedProofs
from services.auth.oauth.domain.client import Client
from services.auth.oauth.domain.refusal import OAuthError, OAuthRefusal
from services.auth.oauth.tokens.dpop_nonces import NonceSource

# What is of the protocol is also there under /oauth.
PREFIXES = ("", "/oauth")


class ProofChecker:
    """Checks proofs.

    Args:
        used: remembers them.
        nonces: those that count.
        issuer: the public address.
        nonce_required: whether a proof must have one of our nonces.
        clock: tells the time.
    """

    def __init__(
        self, used: UsedProofs, nonces: NonceSource, *, issuer: str, nonce_required: bool, clock: Clock
    ) -> None:
        self._used = used
        self._nonces = nonces
        self._issuer = issuer
        self._nonce_required = nonce_required
        self._clock = clock

    @property
    def nonces(self) -> list[str]:
        """Return the nonces that count now, the second being the current one; none when none is needed."""
        return self._nonces.accepted() if self._nonce_required else []

    def nonce_for(self, proof: str) -> str:
        """Return the nonce that an answer brings to who sent a proof; "" to others."""
        return self._nonces.current() if proof and self._nonce_required else ""

    async def thumbprint(self, client: Client, proof: str, path: str) -> str | None:
        """Return the thumbprint of the key that a request proves to hold; None when it does not speak of one.

        Raises:
            OAuthRefusal: invalid_dpop_proof: it is none, was used before, or this client must send one;
                use_dpop_nonce: it needs one of our nonces.
        """
        if not proof and client.dpop_bound:
            raise _bad("This client must send a DPoP proof.")
        return await self.shown(proof, path)

    async def shown(self, proof: str, path: str) -> str | None:
        """Return the thumbprint of the key that a proof shows; None without a proof.

        Raises:
            OAuthRefusal: invalid_dpop_proof, use_dpop_nonce.
        """
        if not proof:
            return None
        urls = [self._issuer + prefix + path for prefix in PREFIXES]
        try:
            read = read_proof(proof, method="POST", urls=urls, now=self._clock.now())
        except BadProof as exc:
            raise _bad(str(exc)) from exc
        if self._nonce_required and read.nonce not in self._nonces.accepted():
            raise OAuthRefusal(OAuthError.USE_DPOP_NONCE, "Send a DPoP proof with the nonce of this answer.")
        if not await self._used.use(read):
            raise _bad("This DPoP proof was used before.")
        return read.thumbprint


def _bad(description: str) -> OAuthRefusal:
    return OAuthRefusal(OAuthError.INVALID_DPOP_PROOF, description)
