"""GET /status.json and /status.rss: the state of the service for everybody, at most half a minute old."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from services.gateway.availability.bodies import StatusBody
from services.gateway.availability.feed import RSS_PATH, feed_of
from services.gateway.availability.public_status import PublicStatus
from services.gateway.availability.spans import KEPT_S
from services.gateway.edge.origin import header
from services.gateway.edge.request_context import Context
from services.gateway.identity.access import Needs, Open
from services.gateway.identity.key_sets import PublicAddress
from services.gateway.pages.language import choose

JSON_PATH: Final = "/status.json"
NEEDS: Final[Needs] = {JSON_PATH: Open.EVERYONE, RSS_PATH: Open.EVERYONE}
CACHE: Final = b"public, max-age=%d" % KEPT_S
_RSS: Final = "application/rss+xml"
_DESCRIBED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "RSS 2.0", "content": {_RSS: {"schema": {"type": "string"}}}}
}


def status_router(status: PublicStatus, address: PublicAddress) -> APIRouter:
    """Return the routes; `address` is ours, as readers of the feed see it."""
    router = APIRouter(tags=["status"])

    @router.get(JSON_PATH, response_model=StatusBody)
    async def get_status(context: Context) -> dict[str, Any]:
        """Return how each provider and model version is and was, and what went wrong. Needs no credential."""
        context.cache_control = CACHE
        return await status.body(context.call)

    @router.get(RSS_PATH, response_class=Response, responses=_DESCRIBED)
    async def get_feed(
        context: Context, lang: Annotated[str, Query(description="`ru` or `en`; else what the client accepts.")] = ""
    ) -> Response:
        """Return incidents as a feed. Needs no credential."""
        context.cache_control = CACHE
        body = await status.body(context.call)
        language = choose(lang, header(context.scope, b"accept-language"))
        feed = feed_of(body["incidents"] or (), url=await address(), language=language, now=body["updated_at"])
        return Response(feed, media_type=_RSS, headers={"vary": "accept-language"})

    return router
