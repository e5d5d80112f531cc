"""GET and DELETE /v1/responses/{id}, and its input items: what is kept of an answer, for whom it belongs to."""

from __future__ import annotations

from itertools import count
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query

from servicekit.errors import ErrorReason, InvalidRequest, NotFound
from services.gateway.edge.reading.json_body import invalid_field
from services.gateway.edge.request_context import Context, RequestContext
from services.gateway.inference.responses.bodies import listed
from services.gateway.inference.responses.kept import KeptResponse, KeptResponses

NOT_AGAIN: Final = "A response that has ended is not streamed again (field `stream`): get it whole."
Limit = Annotated[int, Query(ge=1, le=100)]
Order = Literal["asc", "desc"]


def kept_responses_router(kept: KeptResponses) -> APIRouter:
    """Return the routes; they know only what the credential's owner (and application) has asked."""
    router = APIRouter(tags=["inference"])

    @router.get("/v1/responses/{response_id}")
    async def get_response(context: Context, response_id: str, stream: bool = False) -> dict[str, Any]:
        """Return a response that was made a while ago, unless it was asked for with `store: false`."""
        if stream:
            raise InvalidRequest(ErrorReason.UNSUPPORTED_PARAMETER, NOT_AGAIN, param="stream")
        return (await _found(kept, context, response_id)).response

    @router.get("/v1/responses/{response_id}/input_items")
    async def list_input_items(
        context: Context, response_id: str, limit: Limit = 20, order: Order = "desc", after: str | None = None
    ) -> dict[str, Any]:
        """Return the items that a response was asked with, without those of the turns before."""
        items = _named_apart([*map(listed, count(), (await _found(kept, context, response_id)).input)])
        return _page(items if order == "asc" else items[::-1], limit, after)

    @router.delete("/v1/responses/{response_id}")
    async def delete_response(context: Context, response_id: str) -> dict[str, Any]:
        """Forget a response: no further turn can build on it."""
        caller = context.known_caller
        if not await kept.delete(caller.user_id, caller.grant_id, response_id):
            raise _unknown()
        return {"id": response_id, "object": "response", "deleted": True}

    return router


def _named_apart(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give each item an id of its own: a page begins after one, and callers may send an item twice."""
    seen: set[str] = set()
    for number, item in enumerate(items):
        if item["id"] in seen:
            item["id"] = f"item_{number}"
        while item["id"] in seen:
            item["id"] += "_"
        seen.add(item["id"])
    return items


def _page(items: list[dict[str, Any]], limit: int, after: str | None) -> dict[str, Any]:
    ids = [item["id"] for item in items]
    if after is not None and after not in ids:
        raise invalid_field("after", "There is no such item")
    begin = 0 if after is None else ids.index(after) + 1
    shown = items[begin : begin + limit]
    ends = {"first_id": shown[0]["id"], "last_id": shown[-1]["id"]} if shown else {"first_id": None, "last_id": None}
    return {"object": "list", "data": shown, "has_more": begin + limit < len(items), **ends}


async def _found(kept: KeptResponses, context: RequestContext, response_id: str) -> KeptResponse:
    caller = context.known_caller
    found = await kept.load(caller.user_id, caller.grant_id, response_id)
    if found is None:
        raise _unknown()
    return found


def _unknown() -> NotFound:
    return NotFound(ErrorReason.NOT_FOUND, "There is no such response, or not any more.", param="response_id")
