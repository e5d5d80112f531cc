"""A router behind real gRPC that answers what a test tells it, and the models it lists."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.router.v1 import admin_pb2_grpc, batches_pb2_grpc, personal_data_pb2_grpc, router_pb2_grpc
from razvilka.router.v1 import router_pb2 as pb

from servicekit.call import CallContext, current_call
from servicekit.errors import ErrorReason, NotFound, ServiceError, Unavailable
from servicekit.multiplex import Call, Handler, MultiplexServer, MultiplexServerSettings, StreamHandler, UnaryHandler
from servicekit.tracing import begin_trace
from services.gateway.tests.batch_backend import FakeBatches
from services.gateway.tests.identity_backends import shown_context
from services.gateway.tests.personal_data_backend import FakeRouterData
from services.gateway.tests.provider_backend import FakeProviders
from services.router.frames import RouterAnswerCodec

PRICE = pb.Price(
    version="2026-01",
    input_micro_rub_per_1k=200_000,
    output_micro_rub_per_1k=400_000,
    cached_micro_rub_per_1k=100_000,
    valid_from=Timestamp(seconds=1_700_000_000),
)


# 1 January 2100: gateways live by the machine's clock, and this must not have been.
SHUTDOWN = Timestamp(seconds=4_102_444_800)


def model(id: str, *aliases: str, **changes: Any) -> pb.Model:
    """Return a chat model of the catalogue."""
    given = {
        "name": id,
        "provider": "yandexgpt",
        "version": "latest",
        "resolved_model": f"{id}-build-7",
        "kind": "chat",
        "context_length": 32_768,
        "max_output_tokens": 8_192,
        "supported_parameters": ["temperature", "max_tokens", "tools"],
        "default_parameters": {"temperature": 0.3},
        "prices": [PRICE],
        "chars_per_token": 3.0,
        "tokens_per_message": 4,
        "on_disconnect": "cancel",
        "created_at": Timestamp(seconds=1_700_000_000),
    }
    return pb.Model(id=id, aliases=aliases, **{**given, **changes})


MODELS = [
    model("yandexgpt:latest", "yandexgpt"),
    model("gigachat-pro", "gigachat/pro", provider="gigachat", version="", on_disconnect="drain"),
    model(
        "yandexgpt:deprecated",
        version="deprecated",
        deprecated_at=Timestamp(seconds=1_750_000_000),
        shutdown_at=SHUTDOWN,
        successor="yandexgpt:latest",
    ),
    model("free-lunch", prices=[]),
    model("text-embeddings", kind="embedding", provider="gigachat"),
]


class FakeRouter(router_pb2_grpc.RouterServiceServicer):
    """Answers with `chunks` (or those of the model), counted in `said`.

    `failure` comes before chunk number `fail_at`, from call number `fail_from_call` on; `hold` keeps it before chunk
    `hold_at`.
    """

    def __init__(self) -> None:
        self.providers = FakeProviders()
        self.batches = FakeBatches()
        self.personal_data = FakeRouterData()
        self.models = list(MODELS)
        self.version = "1"
        self.refused: list[str] = []
        self.canaries: list[pb.CanarySide] = []
        self.chunks = ["При", "вет", "!"]
        self.chunks_of: dict[str, list[str]] = {}
        self.said: Counter[str] = Counter()
        self.failure: ServiceError | None = None
        self.fail_at = 0
        self.fail_from_call = 0
        self.hold: asyncio.Event | None = None
        self.hold_at = 1
        self.usage: pb.Usage | None = pb.Usage(
            prompt_tokens=10, completion_tokens=3, cached_tokens=4, reasoning_tokens=1
        )
        self.thought = ""
        self.ends_before: list[pb.Delta] = []
        self.tool_calls: list[pb.ToolCall] = []
        self.finish = pb.FINISH_REASON_STOP
        self.dropped: list[str] = []
        self.queued_ms = 0
        self.stands_in = False
        self.answering_model = ""
        self.without_end = False
        self.at_once = False
        self.progress: pb.Usage | None = None
        self.prompts: list[pb.Prompt] = []
        self.embeds: list[pb.EmbedRequest] = []
        self.coordinate = 0.5
        self.files: dict[tuple[str, str], pb.GetFileResponse] = {}
        self.counts: list[int] = [2]
        self.counted: list[pb.CountTokensRequest] = []
        self.shown: list[bytes] = []
        self.context = CallContext("", begin_trace(None))
        self.entered = asyncio.Event()
        self.ended = asyncio.Event()
        self.was_cancelled = False
        self.down = False
        handlers: dict[str, Handler] = {
            "Complete": UnaryHandler(self._complete),
            "Stream": StreamHandler(self._stream),
            "Embed": UnaryHandler(self._embed),
        }
        self.calls = MultiplexServer(handlers, RouterAnswerCodec(), MultiplexServerSettings())

    async def Converse(self, request_iterator: Any, context: Any) -> None:  # type: ignore[override]
        await self.calls.serve(context)

    def _begin(self, prompt: pb.Prompt) -> pb.Route:
        self.prompts.append(prompt)
        self.context = current_call()
        self.entered.set()
        asked = self.answering_model or prompt.model
        provider = next((known.provider for known in self.models if known.id == asked), "yandexgpt")
        return pb.Route(
            provider=provider,
            model=asked,
            resolved_model=f"{asked}-build-7",
            dropped_params=self.dropped,
            queued_ms=self.queued_ms,
            # Who may ask one model alone has no other one tried before it.
            stands_in=self.stands_in and not prompt.alone,
        )

    def _end(self) -> pb.End:
        attempts = [pb.Attempt(provider="yandexgpt", model="yandexgpt:latest", latency_ms=12)]
        return pb.End(usage=self.usage, attempts=attempts, system_fingerprint="build-7")

    async def _pause(self, number: int) -> None:
        if self.hold is not None and number == self.hold_at:
            await self.hold.wait()
        if self.failure is not None and number == self.fail_at and len(self.prompts) >= self.fail_from_call:
            raise self.failure

    async def _complete(self, call: Call) -> pb.CompleteResponse:
        route = self._begin(call.request)
        try:
            await self._pause(self.hold_at if self.hold else self.fail_at)
            text = "".join(self.chunks)
            choices = [
                pb.Choice(
                    index=number,
                    content=text,
                    content_is_null=not text,
                    reasoning_content=self.thought,
                    tool_calls=self.tool_calls,
                    finish_reason=self.finish,
                )
                for number in range(call.request.n or 1)
            ]
            return pb.CompleteResponse(route=route, choices=choices, end=self._end())
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        finally:
            self.ended.set()

    async def _stream(self, call: Call) -> AsyncGenerator[pb.StreamResponse, None]:
        route: pb.Route | None = self._begin(call.request)
        if self.at_once:
            deltas = [pb.Delta(content="".join(self.chunks)), pb.Delta(finish_reason=self.finish)]
            yield pb.StreamResponse(route=route, deltas=deltas, end=self._end())
            return
        try:
            if self.ends_before:
                yield pb.StreamResponse(route=route, deltas=self.ends_before)
                route = None
            if self.thought:
                yield pb.StreamResponse(route=route, deltas=[pb.Delta(reasoning_content=self.thought)])
                route = None
            for number, chunk in enumerate(self.chunks_of.get(call.request.model, self.chunks)):
                await self._pause(number)
                self.said[call.request.model] += 1
                yield pb.StreamResponse(route=route, deltas=[pb.Delta(content=chunk)], progress=self.progress)
                route = None
            await self._pause(len(self.chunks))
            if self.tool_calls:
                yield pb.StreamResponse(route=route, deltas=[pb.Delta(tool_calls=self.tool_calls)])
            if not self.without_end:
                yield pb.StreamResponse(deltas=[pb.Delta(finish_reason=self.finish)], end=self._end())
        except (asyncio.CancelledError, GeneratorExit):
            self.was_cancelled = True
            raise
        finally:
            self.ended.set()

    async def _embed(self, call: Call) -> pb.EmbedResponse:
        request = call.request
        self.embeds.append(request)
        route = pb.Route(provider="gigachat", model=request.model, resolved_model="embed-2")
        self.entered.set()
        await self._pause(self.fail_at)
        size = request.dimensions or 3
        vectors = [
            pb.Embedding(index=at, values=[at + self.coordinate] * size) for at in reversed(range(len(request.input)))
        ]
        return pb.EmbedResponse(route=route, embeddings=vectors, end=pb.End(usage=pb.Usage(prompt_tokens=7)))

    async def ListModels(self, request: Any, context: Any) -> pb.ListModelsResponse:
        if self.down:
            raise Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "down")
        return pb.ListModelsResponse(models=self.models, version=self.version, refused=self.refused)

    async def GetProviderStatus(self, request: Any, context: Any) -> pb.GetProviderStatusResponse:
        now = Timestamp(seconds=1_795_435_200)
        rows = [
            ("yandexgpt", "yandexgpt:latest", "operational", ""),
            ("gigachat", "gigachat-pro", "down", "circuit_open"),
            ("gigachat", "gigachat-max", "unknown", ""),
        ]
        return pb.GetProviderStatusResponse(
            models=[
                pb.ModelStatus(
                    provider=p,
                    model=m,
                    status=s,
                    reason=r,
                    latency_ms=250,
                    latency_p95_ms=900,
                    first_content_p50_ms=90,
                    first_content_p95_ms=300,
                    error_rate=0.25,
                    calls=40,
                    updated_at=now,
                    since=now,
                )
                for p, m, s, r in rows
            ],
            canaries=self.canaries,
        )

    async def CountTokens(self, request: Any, context: Any) -> pb.CountTokensResponse:
        self.counted.append(request)
        if self.failure is not None:
            raise self.failure
        provider = next(known.provider for known in self.models if known.id == request.model)
        return pb.CountTokensResponse(route=pb.Route(provider=provider, model=request.model), tokens=self.counts)

    async def GetFile(self, request: Any, context: Any) -> pb.GetFileResponse:
        self.shown.append(shown_context(context))
        found = self.files.get((request.owner, request.file_id))
        if found is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such file.", param="file_id")
        whole = pb.GetFileResponse()
        whole.CopyFrom(found)
        return whole

    async def DeleteFile(self, request: Any, context: Any) -> pb.DeleteFileResponse:
        await self.GetFile(request, context)
        del self.files[request.owner, request.file_id]
        return pb.DeleteFileResponse()


def add_router(router: FakeRouter, server: grpc.aio.Server) -> None:
    """Register the faces of the router."""
    batches_pb2_grpc.add_BatchServiceServicer_to_server(router.batches, server)
    personal_data_pb2_grpc.add_PersonalDataServiceServicer_to_server(router.personal_data, server)
    router_pb2_grpc.add_RouterServiceServicer_to_server(router, server)
    admin_pb2_grpc.add_RouterAdminServiceServicer_to_server(router.providers, server)
