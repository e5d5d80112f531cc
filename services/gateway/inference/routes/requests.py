"""GET /v1/generation and /v1/requests/{id}: what a request was and what it cost."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from servicekit.errors import ErrorReason, NotFound
from services.gateway.admission.redis.explanations import RedisExplanations
from services.gateway.clients.catalog import CatalogWatch
from services.gateway.clients.usage import UsageClient
from services.gateway.edge.request_context import Context, RequestContext
from services.gateway.edge.request_id import parse_request_id
from services.gateway.inference.explaining.explained import Explanation, decode_explanation
from services.gateway.inference.explaining.request_views import explained_body, generation_body, request_body
from services.gateway.inference.routes.bodies import GenerationBody, RequestBody
from services.gateway.metering.usage_record import UsageRecord

MAX_OLD_ID: Final = 256


def requests_router(usage: UsageClient, explanations: RedisExplanations, catalog: CatalogWatch) -> APIRouter:
    """Return the routes; they show a caller its own requests only."""
    router = APIRouter(tags=["requests"])

    async def find(context: RequestContext, text: str, param: str) -> Explanation | UsageRecord:
        request_id = parse_request_id(text)
        if request_id is None:
            return await find_old(context, text, param)
        user_id = context.known_caller.user_id
        # What the settlement said is there from the moment the answer ended; the row comes a moment later, and stays.
        kept = await explanations.find(user_id, request_id)
        known = None if kept is None else decode_explanation(kept)
        try:
            return known or await usage.get_request(user_id, request_id, context.call)
        except NotFound:
            # Release 1.0 called its answers what it liked: what looks like an id of ours may be one of its.
            return await find_old(context, text, param)

    async def find_old(context: RequestContext, text: str, param: str) -> UsageRecord:
        nothing = NotFound(ErrorReason.NOT_FOUND, "There is no such request.", param=param)
        if not 1 <= len(text) <= MAX_OLD_ID or not text.isprintable():
            raise nothing
        try:
            return await usage.get_request(context.known_caller.user_id, text, context.call)
        except NotFound as exc:
            raise nothing from exc

    @router.get("/v1/generation", response_model=GenerationBody)
    async def get_generation(
        context: Context,
        id: Annotated[str, Query(description="The `id` of an answer, also of release 1.0, or its x-request-id.")],
    ) -> dict[str, Any]:
        """Return the statistics of one generation, from the moment that its answer has ended."""
        found = await find(context, id, "id")
        return {"data": generation_body(found.record if isinstance(found, Explanation) else found, id)}

    @router.get("/v1/requests/{request_id}", response_model=RequestBody)
    async def get_request(context: Context, request_id: str) -> dict[str, Any]:
        """Explain one request, from the moment that its answer has ended.

        What was asked, which models might answer, which attempts were made, what it waited for, what it took of limits
        and budgets, what it cost and why. `timing`, `limits`, `budgets` and `candidates` are known for ten minutes.
        """
        found = await find(context, request_id, "request_id")
        if isinstance(found, Explanation):
            return explained_body(found)
        return request_body(found, catalog.current())

    return router
