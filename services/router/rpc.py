"""RouterService over gRPC: decode, call, encode; no rules."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc
from razvilka.router.v1 import router_pb2 as pb
from razvilka.router.v1 import router_pb2_grpc

from servicekit.multiplex import Call, MultiplexServer, MultiplexServerSettings, StreamHandler, UnaryHandler
from services.router.domain.completion import EmbeddingInput, Held
from services.router.frames import RouterAnswerCodec
from services.router.routing.files import FileService
from services.router.routing.service import RouterService
from services.router.routing.tokenizing import Tokenizing
from services.router.rpc_messages import (
    completion_to_proto,
    count_to_proto,
    embeddings_to_proto,
    file_to_proto,
    model_to_proto,
    part_to_proto,
    prompt_from_proto,
    question_from_proto,
)
from services.router.status_messages import side_to_proto, status_to_proto

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class RouterServicer(router_pb2_grpc.RouterServiceServicer):
    """Implements RouterService of razvilka.router.v1."""

    def __init__(
        self, service: RouterService, tokenizing: Tokenizing, files: FileService, settings: MultiplexServerSettings
    ) -> None:
        self._service = service
        self._tokenizing = tokenizing
        self._files = files
        self._calls = MultiplexServer(
            {
                "Complete": UnaryHandler(self._complete),
                "Stream": StreamHandler(self._stream),
                "Embed": UnaryHandler(self._embed),
            },
            RouterAnswerCodec(),
            settings,
        )

    # The generated types know only the way that yields; grpc.aio also takes a coroutine that writes by itself.
    async def Converse(self, _: Any, context: Context) -> None:  # type: ignore[override]
        """Answer the calls of one gateway."""
        await self._calls.serve(context)

    def drain(self) -> None:
        """Take no new calls and finish what is in hand; comes before the gRPC server's stop."""
        self._calls.drain()

    async def _complete(self, call: Call) -> pb.CompleteResponse:
        prompt = prompt_from_proto(call.request)
        return completion_to_proto(await self._service.complete(prompt, call.request_id, call.timeout_s))

    async def _stream(self, call: Call) -> AsyncGenerator[pb.StreamResponse, None]:
        prompt = prompt_from_proto(call.request)
        # Closed at once when the caller leaves: the provider's connection hangs on it.
        async with aclosing(await self._service.stream(prompt, call.request_id, call.timeout_s)) as parts:
            async for part in parts:
                yield part_to_proto(part)

    async def _embed(self, call: Call) -> pb.EmbedResponse:
        request = call.request
        texts = EmbeddingInput(
            request.model,
            tuple(request.input),
            request.dimensions if request.HasField("dimensions") else None,
            dict(request.other_json),
            frozenset(request.allowed_models),
            request.require_parameters,
            request.tenant,
            request.tier,
            Held(request.catalog_version, frozenset(request.priced_models)),
        )
        return embeddings_to_proto(await self._service.embed(texts, call.request_id, call.timeout_s))

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        """Return the catalogue."""
        listing = self._service.models()
        models = map(model_to_proto, listing.models)
        return pb.ListModelsResponse(models=models, version=listing.version, refused=listing.refused)

    async def GetProviderStatus(
        self, request: pb.GetProviderStatusRequest, context: Context
    ) -> pb.GetProviderStatusResponse:
        """Return what was seen of the providers."""
        statuses, sides = map(status_to_proto, self._service.statuses()), map(side_to_proto, self._service.canaries())
        return pb.GetProviderStatusResponse(models=statuses, canaries=sides)

    async def CountTokens(self, request: pb.CountTokensRequest, context: Context) -> pb.CountTokensResponse:
        """Have a provider's tokenizer count."""
        counted = await self._tokenizing.count(question_from_proto(request), context.time_remaining())
        return count_to_proto(counted)

    async def GetFile(self, request: pb.GetFileRequest, context: Context) -> pb.GetFileResponse:
        """Return a file that a model made."""
        found = await self._files.get(request.owner, request.file_id, with_content=request.with_content)
        return file_to_proto(found)

    async def DeleteFile(self, request: pb.DeleteFileRequest, context: Context) -> pb.DeleteFileResponse:
        """Delete a file that a model made."""
        await self._files.delete(request.owner, request.file_id)
        return pb.DeleteFileResponse()
