"""Server metadata and the keys that verify tokens (JWKS)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from servicekit.clock import Clock
from services.auth.oauth.domain.claims import TokenTerms
from services.auth.oauth.domain.metadata import SIGNING_ALGORITHM, server_metadata
from services.auth.oauth.flows.machine_grants import MachineGrants
from services.auth.oauth.tokens.signing_keys import KeyRing


@dataclass(frozen=True, slots=True)
class Description:
    """The published keys and metadata."""

    jwks: dict[str, Any]
    metadata: dict[str, Any]
    terms: TokenTerms
    algorithm: str
    now: datetime
    """By the clock by which tokens begin and end."""


class Discovery:
    """Publishes keys and metadata."""

    def __init__(
        self, ring: KeyRing, machine_grants: MachineGrants, terms: TokenTerms, clock: Clock, *, registration: bool
    ) -> None:
        self._ring = ring
        self._machine_grants = machine_grants
        self._terms = terms
        self._clock = clock
        self._registration = registration

    async def describe(self) -> Description:
        """Return what verifiers and clients need to know.

        Raises:
            Unavailable: the keys cannot be read now.
        """
        keys = [dict(member) for member in await self._ring.published()]
        exchange = self._machine_grants.takes_legacy_tokens()
        metadata = server_metadata(self._terms, registration=self._registration, exchange=exchange)
        return Description({"keys": keys}, metadata, self._terms, SIGNING_ALGORITHM, self._clock.now())
