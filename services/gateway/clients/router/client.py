"""The router service, as the gateway needs it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

import grpc
import msgspec
from razvilka.router.v1 import router_pb2 as pb
from razvilka.router.v1 import router_pb2_grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from servicekit.multiplex import MultiplexClient, MultiplexClientSettings, open_client
from services.gateway.clients.catalog import Catalog
from services.gateway.clients.completion import (
    ENDED,
    FINISH_REASONS,
    CanarySide,
    Choice,
    Completion,
    Delta,
    Embeddings,
    End,
    ModelStatus,
    Route,
    StreamPart,
    ToolCallPart,
)
from services.gateway.clients.personal_data.client import PersonalDataClient, of_router
from services.gateway.clients.router.administration import ProviderAdministrationClient
from services.gateway.clients.router.applications import ApplicationClient
from services.gateway.clients.router.batch_work import BatchWorkClient
from services.gateway.clients.router.batches import BatchClient
from services.gateway.clients.router.catalog_administration import CatalogAdministrationClient
from services.gateway.clients.router.catalogue import model_from_proto, status_from_proto
from services.gateway.clients.router.files import FileClient
from services.gateway.clients.router.frames import RouterCallCodec
from services.gateway.clients.router.prompt import Asker, Lesson, to_prompt
from services.gateway.clients.router.stored_files import StoredFileClient
from services.gateway.clients.router.tokens import TokenClient
from services.gateway.clients.user_contexts import InWhoseName, of_nobody
from services.gateway.metering.usage_record import Attempt, TokenUsage
from services.gateway.schemas.inference import ChatRequest

LIST_DEADLINE_S = 5.0


@asynccontextmanager
async def open_router(
    target: str,
    settings: MultiplexClientSettings,
    peer: rpc_client.Peer | None = None,
    in_whose_name: InWhoseName = of_nobody,
) -> AsyncIterator[RouterClient]:
    """Yield a client of the routers at `target`: one address, or a name or list that gRPC resolves to several.

    `in_whose_name` shows whose files are asked for.
    """
    async with rpc_client.open_channel(target, peer) as channel:
        stub = router_pb2_grpc.RouterServiceStub(channel)
        async with open_client([stub.Converse], RouterCallCodec(), settings) as calls:
            yield RouterClient(channel, calls, in_whose_name)


class RouterClient:
    """Asks models, and what models there are."""

    def __init__(self, channel: grpc.aio.Channel, calls: MultiplexClient, in_whose_name: InWhoseName) -> None:
        self._channel = channel
        self._calls = calls
        self._stub = router_pb2_grpc.RouterServiceStub(channel)
        self.files = FileClient(self._stub, in_whose_name)
        self.stored_files = StoredFileClient(channel, in_whose_name)
        self.batches = BatchClient(channel, in_whose_name)
        self.applications = ApplicationClient(channel)
        self.administration = ProviderAdministrationClient(channel)
        self.catalog_orders = CatalogAdministrationClient(channel)
        self.tokens = TokenClient(self._stub)
        self.personal_data: PersonalDataClient = of_router(channel, in_whose_name)

    def batch_work(self, worker: str) -> BatchWorkClient:
        """Return the way to work on batches, as a worker that no other is."""
        return BatchWorkClient(self._channel, worker)

    async def complete(
        self,
        request: ChatRequest,
        model: str,
        *,
        deadline_s: float,
        call: CallContext,
        lesson: Lesson,
        asker: Asker,
        schema_bound: int,
    ) -> Completion:
        """Return the whole answer.

        Raises:
            ServiceError: what the router says went wrong.
        """
        prompt = to_prompt(request, model, lesson, asker, schema_bound)
        answer = await self._calls.unary("Complete", prompt, deadline_s=deadline_s, context=call)
        return Completion(_route(answer.route), tuple(map(_choice, answer.choices)), _end(answer.end))

    def stream(
        self,
        request: ChatRequest,
        model: str,
        *,
        deadline_s: float,
        call: CallContext,
        lesson: Lesson,
        asker: Asker,
        schema_bound: int,
    ) -> AsyncGenerator[list[StreamPart], None]:
        """Yield the answer as it is made, all parts that have arrived together; closing the generator cancels it.

        Raises:
            ServiceError: what the router says went wrong, before or after the first part.
        """
        prompt = to_prompt(request, model, lesson, asker, schema_bound)
        return self._calls.stream("Stream", prompt, deadline_s=deadline_s, context=call, decode=_parts)

    async def embed(
        self,
        inputs: Sequence[str],
        model: str,
        *,
        dimensions: int | None,
        user: str | None,
        deadline_s: float,
        call: CallContext,
        asker: Asker,
        require_parameters: bool,
    ) -> Embeddings:
        """Return one vector for each input, in order.

        Raises:
            ServiceError: what the router says went wrong.
        """
        message = pb.EmbedRequest(
            model=model,
            input=inputs,
            dimensions=dimensions,
            allowed_models=asker.allowed_models,
            tenant=asker.tenant,
            tier=asker.tier,
            catalog_version=asker.catalog_version,
            priced_models=asker.priced_models,
            require_parameters=require_parameters,
            other_json={"user": msgspec.json.encode(user)} if user is not None else None,
        )
        answer = await self._calls.unary("Embed", message, deadline_s=deadline_s, context=call)
        ordered = sorted(answer.embeddings, key=lambda embedding: embedding.index)
        return Embeddings(
            _route(answer.route), tuple(list(embedding.values) for embedding in ordered), _end(answer.end)
        )

    async def list_models(self) -> Catalog:
        """Return the whole catalogue; a service that restarts is waited for."""
        answer = await rpc_client.unary(
            self._stub.ListModels, pb.ListModelsRequest(), deadline_s=LIST_DEADLINE_S, wait_for_ready=True
        )
        return Catalog(tuple(map(model_from_proto, answer.models)), answer.version, tuple(answer.refused))

    async def provider_status(self, call: CallContext) -> list[ModelStatus]:
        """Return what the router has seen of each provider and model version."""
        answer = await rpc_client.unary(
            self._stub.GetProviderStatus, pb.GetProviderStatusRequest(), deadline_s=LIST_DEADLINE_S, call=call
        )
        return list(map(status_from_proto, answer.models))

    async def canary_sides(self, call: CallContext) -> list[CanarySide]:
        """Return what the sides of canaries have shown the router that answers."""
        answer = await rpc_client.unary(
            self._stub.GetProviderStatus, pb.GetProviderStatusRequest(), deadline_s=LIST_DEADLINE_S, call=call
        )
        return [
            CanarySide(
                side.channel,
                side.side,
                side.resolved_model,
                side.answers,
                side.failures,
                side.first_content_s,
                side.tokens_output,
                side.cost_micro_rub,
            )
            for side in answer.canaries
        ]

    async def is_serving(self) -> bool:
        """Tell whether the service is ready."""
        return await rpc_client.is_serving(self._channel)


def _route(message: pb.Route) -> Route:
    dropped = tuple(message.dropped_params)
    return Route(message.provider, message.model, message.resolved_model, dropped, message.queued_ms, message.stands_in)


def _usage(message: pb.Usage) -> TokenUsage:
    return TokenUsage(
        message.prompt_tokens,
        message.completion_tokens,
        message.cached_tokens,
        message.reasoning_tokens,
        message.tokenized,
    )


def _end(message: pb.End) -> End:
    return End(
        _usage(message.usage) if message.HasField("usage") else None,
        tuple([Attempt(each.provider, each.model, each.reason, each.latency_ms) for each in message.attempts]),
        message.system_fingerprint,
    )


def _tool_calls(calls: Sequence[pb.ToolCall]) -> tuple[ToolCallPart, ...]:
    return tuple([ToolCallPart(call.index, call.id, call.name, call.arguments) for call in calls])


def _choice(message: pb.Choice) -> Choice:
    return Choice(
        message.index,
        None if message.content_is_null else message.content,
        message.reasoning_content,
        _tool_calls(message.tool_calls) if message.tool_calls else (),
        FINISH_REASONS.get(message.finish_reason, ENDED),
    )


def _parts(messages: Sequence[pb.StreamResponse]) -> list[StreamPart]:
    return [
        StreamPart(
            tuple(
                [
                    Delta(
                        delta.choice_index,
                        delta.content,
                        delta.reasoning_content,
                        _tool_calls(delta.tool_calls) if delta.tool_calls else (),
                        FINISH_REASONS.get(delta.finish_reason, ENDED),
                    )
                    for delta in message.deltas
                ]
            ),
            _route(message.route) if message.HasField("route") else None,
            _usage(message.progress) if message.HasField("progress") else None,
            _end(message.end) if message.HasField("end") else None,
        )
        for message in messages
    ]
