"""What the authorization server says of itself: RFC 8414, OpenID Connect Discovery, and its public keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Scope

from services.gateway.clients.oauth_views import Origin
from services.gateway.edge.endpoint import Cors, Endpoint
from services.gateway.edge.request_context import RequestContext
from services.gateway.identity.key_sets import KeySet
from services.gateway.oauth.endpoint import JsonAnswer, protocol_endpoint

# Auth publishes a key ten minutes before it signs; half of that is left for clocks and caches.
CACHE: Final = b"public, max-age=300"
METADATA_PATHS: Final = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")
JWKS_PATH: Final = "/.well-known/jwks.json"


@dataclass(frozen=True, slots=True)
class MetadataEndpoints:
    """Answers from what the key set knows; nobody is asked."""

    key_set: KeySet
    cors: Cors

    def all(self) -> list[Endpoint]:
        """Return them."""
        return [
            *(self._endpoint(path, metadata=True) for path in METADATA_PATHS),
            self._endpoint(JWKS_PATH, metadata=False),
        ]

    def _endpoint(self, path: str, *, metadata: bool) -> Endpoint:
        async def handle(scope: Scope, receive: Receive, context: RequestContext, origin: Origin) -> JsonAnswer:
            published = await self.key_set.published()
            return 200, (published.metadata_json if metadata else published.jwks_json).encode()

        return protocol_endpoint(path, handle, None, ("GET", "HEAD"), self.cors, CACHE)
