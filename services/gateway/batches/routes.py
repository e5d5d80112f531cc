"""/v1/batches: begin one, look how far it is, end it early."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query

from services.gateway.batches.bodies import (
    BatchBody,
    BatchErrorBody,
    BatchErrorsBody,
    BatchListBody,
    NewBatchBody,
    RequestCountsBody,
)
from services.gateway.batches.needs import BATCH, BATCHES, CANCEL
from services.gateway.clients.router.batches import Batch, BatchClient
from services.gateway.edge.reading.json_body import json_of
from services.gateway.edge.request_context import Context
from services.gateway.identity.access import Scope, check_scope

WINDOW_S: Final = 24 * 3600
# Beside what every route of batches needs.
NEEDED_FOR: Final = {"/v1/embeddings": Scope.EMBEDDINGS_WRITE}
Limit = Annotated[int, Query(ge=1, le=100)]


def batches_router(batches: BatchClient, news: asyncio.Event) -> APIRouter:
    """Return the routes; `news` is set when there is a new batch."""
    router = APIRouter(tags=["batches"])

    @router.post(BATCHES, response_model=BatchBody)
    async def create_batch(
        context: Context, order: Annotated[NewBatchBody, Depends(json_of(NewBatchBody))]
    ) -> BatchBody:
        """Begin a batch: every line of a file is asked within a day, at half price where the provider gives it."""
        caller = context.known_caller
        context.call_field("file_id", "input_file_id")
        if order.endpoint in NEEDED_FOR:
            check_scope(caller, NEEDED_FOR[order.endpoint])
        made = await batches.create(
            caller,
            context.call,
            endpoint=order.endpoint,
            input_file_id=order.input_file_id,
            window_s=WINDOW_S,
            metadata=order.metadata or {},
        )
        news.set()
        return _body(made)

    @router.get(BATCHES, response_model=BatchListBody)
    async def list_batches(context: Context, after: str = "", limit: Limit = 20) -> BatchListBody:
        """Return a page of the credential's batches, newest first."""
        context.call_field("batch_id", "after")
        found, has_more = await batches.page(context.known_caller, context.call, after=after, limit=limit)
        ids: list[str | None] = [batch.id for batch in found]
        return BatchListBody(
            data=list(map(_body, found)),
            first_id=ids[0] if ids else None,
            last_id=ids[-1] if ids else None,
            has_more=has_more,
        )

    @router.get(BATCH, response_model=BatchBody)
    async def get_batch(context: Context, batch_id: str) -> BatchBody:
        """Tell how far a batch is, and where its results are."""
        return _body(await batches.find(context.known_caller, batch_id, context.call))

    @router.post(CANCEL, response_model=BatchBody)
    async def cancel_batch(context: Context, batch_id: str) -> BatchBody:
        """Begin no further line; what runs is finished, and billed."""
        return _body(await batches.cancel(context.known_caller, batch_id, context.call))

    return router


def _body(batch: Batch) -> BatchBody:
    return BatchBody(
        id=batch.id,
        endpoint=batch.endpoint,
        errors=_errors(batch),
        input_file_id=batch.input_file_id,
        status=batch.status,
        output_file_id=batch.output_file_id or None,
        error_file_id=batch.error_file_id or None,
        created_at=int(batch.created_at.timestamp()),
        expires_at=int(batch.expires_at.timestamp()),
        request_counts=RequestCountsBody(total=batch.total, completed=batch.completed, failed=batch.failed),
        metadata=dict(batch.metadata) or None,
        **batch.moments_s,
    )


def _errors(batch: Batch) -> BatchErrorsBody | None:
    if not batch.errors:
        return None
    told = [
        BatchErrorBody(code=each.code, message=each.message, param=each.param or None, line=each.line or None)
        for each in batch.errors
    ]
    return BatchErrorsBody(data=told)
