"""RouterService over gRPC: decode, call, encode; no rules."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc
from razvilka.router.v1 import router_pb2 as pb
from razvilka.router.v1 import router_pb2_grpc

from services.router.domain.completion import EmbeddingInput
from services.router.routing.service import RouterService
from services.router.rpc_messages import (
    completion_to_proto,
    embeddings_to_proto,
    model_to_proto,
    part_to_proto,
    prompt_from_proto,
    status_to_proto,
)

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class RouterServicer(router_pb2_grpc.RouterServiceServicer):
    """Speaks razvilka.router.v1."""

    def __init__(self, service: RouterService) -> None:
        self._service = service

    async def Complete(self, request: pb.CompleteRequest, context: Context) -> pb.CompleteResponse:
        """Answer as a whole."""
        prompt = prompt_from_proto(request.prompt)
        return completion_to_proto(await self._service.complete(prompt, request.request_id, context.time_remaining()))

    async def Stream(self, request: pb.StreamRequest, context: Context) -> AsyncGenerator[pb.StreamResponse, None]:
        """Answer as it is made."""
        prompt = prompt_from_proto(request.prompt)
        # Closed at once when the caller leaves: the provider's connection hangs on it.
        parts = await self._service.stream(prompt, request.request_id, context.time_remaining())
        async with aclosing(parts):
            async for part in parts:
                yield part_to_proto(part)

    async def Embed(self, request: pb.EmbedRequest, context: Context) -> pb.EmbedResponse:
        """Turn texts into vectors."""
        texts = EmbeddingInput(
            request.model,
            tuple(request.input),
            request.dimensions if request.HasField("dimensions") else None,
            dict(request.other_json),
        )
        return embeddings_to_proto(await self._service.embed(texts, request.request_id, context.time_remaining()))

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        """Return the catalogue."""
        models, version = self._service.models()
        return pb.ListModelsResponse(models=map(model_to_proto, models), version=version)

    async def GetProviderStatus(
        self, request: pb.GetProviderStatusRequest, context: Context
    ) -> pb.GetProviderStatusResponse:
        """Return what was seen of the providers."""
        return pb.GetProviderStatusResponse(models=map(status_to_proto, self._service.statuses()))
