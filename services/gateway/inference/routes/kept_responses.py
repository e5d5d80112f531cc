"""GET and DELETE /v1/responses/{id}, and its input items: what is kept of an answer, for whom it belongs to."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from servicekit.errors import ErrorReason, NotFound
from services.gateway.edge.request_context import RequestContext, current_context
from services.gateway.inference.responses.kept import KeptResponse, KeptResponses

Current = Annotated[RequestContext, Depends(current_context)]


def kept_responses_router(kept: KeptResponses) -> APIRouter:
    """Return the routes; they know only what the credential's owner (and application) has asked."""
    router = APIRouter(tags=["inference"])

    @router.get("/v1/responses/{response_id}")
    async def get_response(context: Current, response_id: str) -> dict[str, Any]:
        """Return a response that was made a while ago, unless it was asked for with `store: false`."""
        return (await _found(kept, context, response_id)).response

    @router.get("/v1/responses/{response_id}/input_items")
    async def list_input_items(context: Current, response_id: str) -> dict[str, Any]:
        """Return the items that a response was asked with, without those of the turns before."""
        items = (await _found(kept, context, response_id)).input
        named = [{**item, "id": item.get("id") or f"item_{number}"} for number, item in enumerate(items)]
        ends = {"first_id": named[0]["id"], "last_id": named[-1]["id"]} if named else {}
        return {"object": "list", "data": named, "has_more": False, "first_id": None, "last_id": None, **ends}

    @router.delete("/v1/responses/{response_id}")
    async def delete_response(context: Current, response_id: str) -> dict[str, Any]:
        """Forget a response: no further turn can build on it."""
        caller = context.known_caller
        if not await kept.delete(caller.user_id, caller.grant_id, response_id):
            raise _unknown()
        return {"id": response_id, "object": "response", "deleted": True}

    return router


async def _found(kept: KeptResponses, context: RequestContext, response_id: str) -> KeptResponse:
    caller = context.known_caller
    found = await kept.load(caller.user_id, caller.grant_id, response_id)
    if found is None:
        raise _unknown()
    return found


def _unknown() -> NotFound:
    return NotFound(ErrorReason.NOT_FOUND, "There is no such response, or not any more.", param="response_id")
