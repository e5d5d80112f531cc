"""What answers the lines of one endpoint: the route that answers callers there."""

from __future__ import annotations

from typing import Protocol

from starlette.types import Send

from services.gateway.edge.request_context import RequestContext
from services.gateway.identity.access import Need


class LineRoute(Protocol):
    """A route as batches need it. `need`: what its callers may do."""

    need: Need

    async def check(self, body: bytes) -> None:
        """Look whether a body can be asked there without anybody waiting.

        Raises:
            InvalidRequest: a field is wrong; it is named.
        """
        ...

    async def serve(self, context: RequestContext, body: bytes, send: Send) -> None:
        """Answer a body of a caller that is known.

        Raises:
            ServiceError: it is refused, or failed.
        """
        ...
