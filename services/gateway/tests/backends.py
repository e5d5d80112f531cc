"""Small auth, router and usage services behind real gRPC, that do what a test tells them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import (
    account_pb2,
    account_pb2_grpc,
    auth_pb2,
    auth_pb2_grpc,
    budgets_pb2,
    budgets_pb2_grpc,
    oauth_pb2,
    oauth_pb2_grpc,
    owners_pb2,
    owners_pb2_grpc,
    user_context_pb2,
    user_context_pb2_grpc,
)
from razvilka.router.v1 import admin_pb2, admin_pb2_grpc, batches_pb2, batches_pb2_grpc, router_pb2_grpc
from razvilka.router.v1 import router_pb2 as pb
from razvilka.usage.v1 import (
    catalog_facts_pb2,
    catalog_facts_pb2_grpc,
    forecasts_pb2,
    forecasts_pb2_grpc,
    insights_pb2,
    insights_pb2_grpc,
    notifications_pb2,
    notifications_pb2_grpc,
    reports_pb2,
    reports_pb2_grpc,
    shared_spend_pb2,
    shared_spend_pb2_grpc,
    statistics_pb2,
    statistics_pb2_grpc,
    usage_pb2,
    usage_pb2_grpc,
)

from servicekit.call import CallContext, current_call
from servicekit.errors import ErrorReason, NotFound, ServiceError, Unauthenticated, Unavailable
from servicekit.multiplex import Call, Handler, MultiplexServer, MultiplexServerSettings, StreamHandler, UnaryHandler
from servicekit.rpc_server import running_server
from servicekit.settings import GrpcSettings
from servicekit.telemetry import begin_trace
from servicekit.trust.callers import CallPolicy
from services.gateway.tests.account_backend import FakeAccounts
from services.gateway.tests.batch_backend import FakeBatches
from services.gateway.tests.budget_backend import FakeBudgets, FakeSharedSpend
from services.gateway.tests.forecast_backend import FakeForecasts
from services.gateway.tests.identity_backends import FakeOAuth, FakeUserContexts, shown_context
from services.gateway.tests.insights_backend import FakeInsights
from services.gateway.tests.notification_backend import FakeNotifications, FakeOwners
from services.gateway.tests.provider_backend import FakeProviders
from services.gateway.tests.reports_backend import FakeReports
from services.gateway.tests.statistics_backend import FakeStatistics
from services.router.frames import RouterAnswerCodec

KEY = "rz_live_test_key"
SCOPES = ("models:read", "completions:write", "embeddings:write", "usage:read")
PRICE = pb.Price(
    version="2026-01",
    input_micro_rub_per_1k=200_000,
    output_micro_rub_per_1k=400_000,
    cached_micro_rub_per_1k=100_000,
    valid_from=Timestamp(seconds=1_700_000_000),
)
SHUTDOWN = Timestamp(seconds=1_800_000_000)


def caller(**changes: Any) -> auth_pb2.Caller:
    """Return a caller with every scope and wide limits."""
    wide = auth_pb2.Limits(
        requests_per_minute=10_000, requests_per_day=1_000_000, tokens_per_minute=10**9, concurrent_requests=1000
    )
    given = {
        "user_id": "user-1",
        "key_id": "key-1",
        "key_name": "laptop",
        "tier": auth_pb2.TIER_PRO,
        "scopes": SCOPES,
        "user_limits": wide,
    }
    return auth_pb2.Caller(**{**given, **changes})


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


class FakeAuth(auth_pb2_grpc.AuthServiceServicer):
    """Knows the keys that a test gives it."""

    def __init__(self) -> None:
        self.callers = {KEY: caller()}
        self.failure: ServiceError | None = None
        self.asked = 0
        self.hold: asyncio.Event | None = None
        self.ordered: Any = None
        self.names: dict[tuple[str, str], dict[str, str]] = {}
        self.keys: list[auth_pb2.ApiKey] = []

    async def VerifyApiKey(self, request: Any, context: Any) -> auth_pb2.VerifyApiKeyResponse:
        self.asked += 1
        if self.hold is not None:
            await self.hold.wait()
        if self.failure is not None:
            raise self.failure
        if request.secret not in self.callers:
            raise Unauthenticated(ErrorReason.INVALID_KEY, "The API key is not valid.")
        return auth_pb2.VerifyApiKeyResponse(caller=self.callers[request.secret])

    async def GetKeyHolder(self, request: Any, context: Any) -> auth_pb2.GetKeyHolderResponse:
        for known in self.callers.values():
            if (known.user_id, known.key_id) == (request.user_id, request.key_id):
                return auth_pb2.GetKeyHolderResponse(caller=known)
        raise Unauthenticated(ErrorReason.INVALID_KEY, "The API key is not valid.")

    def key(self, **changes: Any) -> auth_pb2.ApiKey:
        given = {"id": "key-1", "user_id": "user-1", "name": "laptop", "prefix": "rz_live_Ab3d", "last_four": "wxyz"}
        return auth_pb2.ApiKey(**{**given, "scopes": SCOPES, **changes})

    async def CreateApiKey(self, request: Any, context: Any) -> auth_pb2.CreateApiKeyResponse:
        self.ordered = request
        ttl_s = request.cache_ttl_s if request.HasField("cache_ttl_s") else None
        key = self.key(id="key-2", name=request.name, scopes=request.scopes, models=request.models, cache_ttl_s=ttl_s)
        return auth_pb2.CreateApiKeyResponse(key=key, secret="rz_live_fresh")

    async def ListApiKeys(self, request: Any, context: Any) -> auth_pb2.ListApiKeysResponse:
        return auth_pb2.ListApiKeysResponse(keys=self.keys or [self.key()])

    async def GetModelNames(self, request: Any, context: Any) -> auth_pb2.GetModelNamesResponse:
        return auth_pb2.GetModelNamesResponse(names=self.names.get((request.user_id, request.key_id), {}))

    async def SetModelNames(self, request: Any, context: Any) -> auth_pb2.SetModelNamesResponse:
        self.names[request.user_id, request.key_id] = dict(request.names)
        return auth_pb2.SetModelNamesResponse(names=request.names)

    async def RotateApiKey(self, request: Any, context: Any) -> auth_pb2.RotateApiKeyResponse:
        if request.key_id != "key-1":
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such key.")
        self.ordered = request
        return auth_pb2.RotateApiKeyResponse(key=self.key(id="key-2"), secret="rz_live_rotated")

    async def RevokeApiKey(self, request: Any, context: Any) -> auth_pb2.RevokeApiKeyResponse:
        if request.key_id != "key-1":
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such key.")
        return auth_pb2.RevokeApiKeyResponse()


class FakeRouter(router_pb2_grpc.RouterServiceServicer):
    """Answers with `chunks` (or those of the model), counted in `said`.

    `failure` comes before chunk number `fail_at`, from call number `fail_from_call` on; `hold` keeps it before chunk
    `hold_at`.
    """

    def __init__(self) -> None:
        self.providers = FakeProviders()
        self.batches = FakeBatches()
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
            stands_in=self.stands_in,
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
        vectors = [pb.Embedding(index=at, values=[at + 0.5] * size) for at in reversed(range(len(request.input)))]
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
    router_pb2_grpc.add_RouterServiceServicer_to_server(router, server)
    admin_pb2_grpc.add_RouterAdminServiceServicer_to_server(router.providers, server)


class FakeUsage(usage_pb2_grpc.UsageServiceServicer):
    """Keeps what is recorded."""

    def __init__(self) -> None:
        self.rows: dict[str, usage_pb2.UsageRecord] = {}
        self.arrived = asyncio.Condition()
        self.spend = 1_250_000
        self.is_away = False
        self.callers: list[usage_pb2.ModelCaller] = []
        self.asked_models: list[str] = []
        self.shown: list[bytes] = []

    async def Record(self, request: Any, context: Any) -> usage_pb2.RecordResponse:
        if self.is_away:
            raise Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "The books are closed.")
        async with self.arrived:
            for record in request.records:
                self.rows.setdefault(record.request_id, record)
            self.arrived.notify_all()
        return usage_pb2.RecordResponse(inserted=len(request.records))

    async def row(self, request_id: str = "") -> usage_pb2.UsageRecord:
        """Return the row of a request (of the only one), waiting for it."""
        async with asyncio.timeout(10), self.arrived:
            await self.arrived.wait_for(lambda: request_id in self.rows if request_id else bool(self.rows))
            if request_id:
                return self.rows[request_id]
            (only,) = self.rows.values()
            return only

    async def GetSpend(self, request: Any, context: Any) -> usage_pb2.GetSpendResponse:
        """All was spent before now: a window that is still to come has nothing."""
        lies_ahead = request.since.seconds > time.time()
        return usage_pb2.GetSpendResponse(cost_micro_rub=0 if lies_ahead else self.spend)

    async def ListModelCallers(self, request: Any, context: Any) -> usage_pb2.ListModelCallersResponse:
        self.asked_models = list(request.models)
        return usage_pb2.ListModelCallersResponse(callers=self.callers)

    async def GetRequest(self, request: Any, context: Any) -> usage_pb2.GetRequestResponse:
        self.shown.append(shown_context(context))
        row = self.rows.get(request.request_id)
        if row is None or row.user_id != request.user_id:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such request.")
        return usage_pb2.GetRequestResponse(record=row)


class FakeCatalogFacts(catalog_facts_pb2_grpc.CatalogFactsServiceServicer):
    """Keeps what it is told of the catalogue, call by call; `failure` comes instead."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[catalog_facts_pb2.PutCatalogFactsRequest] = asyncio.Queue()
        self.failure: ServiceError | None = None

    async def PutCatalogFacts(self, request: Any, context: Any) -> catalog_facts_pb2.PutCatalogFactsResponse:
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        self.told.put_nowait(request)
        return catalog_facts_pb2.PutCatalogFactsResponse()


@dataclass(frozen=True, slots=True)
class Backends:
    """The three services and where they listen; auth has four faces."""

    auth: FakeAuth
    oauth: FakeOAuth
    accounts: FakeAccounts
    budgets: FakeBudgets
    shared_spend: FakeSharedSpend
    router: FakeRouter
    usage: FakeUsage
    statistics: FakeStatistics
    forecasts: FakeForecasts
    insights: FakeInsights
    reports: FakeReports
    catalog_facts: FakeCatalogFacts
    notifications: FakeNotifications
    owners: FakeOwners
    user_contexts: FakeUserContexts
    targets: dict[str, str]


async def _always() -> bool:
    return True


def _open_to_the_gateway(*modules: Any) -> CallPolicy:
    services = [service for module in modules for service in module.DESCRIPTOR.services_by_name.values()]
    return CallPolicy(
        {f"/{each.full_name}/{method.name}": ("gateway",) for each in services for method in each.methods}
    )


@asynccontextmanager
async def running_backends() -> AsyncIterator[Backends]:
    """Yield the three services, listening on free ports."""
    auth, router, usage, statistics = FakeAuth(), FakeRouter(), FakeUsage(), FakeStatistics()
    oauth, accounts, user_contexts = FakeOAuth(), FakeAccounts(), FakeUserContexts()
    catalog_facts, notifications, owners = FakeCatalogFacts(), FakeNotifications(), FakeOwners()
    forecasts, insights, reports = FakeForecasts(), FakeInsights(), FakeReports()
    budgets, shared_spend = FakeBudgets(), FakeSharedSpend()
    oauth.grants["grant-1"] = caller(key_id="", key_name="", grant_id="grant-1", client_id="app-1")

    def register_auth(server: Any) -> None:
        auth_pb2_grpc.add_AuthServiceServicer_to_server(auth, server)
        oauth_pb2_grpc.add_OAuthServiceServicer_to_server(oauth, server)
        account_pb2_grpc.add_AccountServiceServicer_to_server(accounts, server)
        user_context_pb2_grpc.add_UserContextServiceServicer_to_server(user_contexts, server)
        budgets_pb2_grpc.add_BudgetServiceServicer_to_server(budgets, server)
        owners_pb2_grpc.add_OwnerServiceServicer_to_server(owners, server)

    def register_usage(server: Any) -> None:
        usage_pb2_grpc.add_UsageServiceServicer_to_server(usage, server)
        statistics_pb2_grpc.add_StatisticsServiceServicer_to_server(statistics, server)
        forecasts_pb2_grpc.add_ForecastServiceServicer_to_server(forecasts, server)
        insights_pb2_grpc.add_InsightsServiceServicer_to_server(insights, server)
        reports_pb2_grpc.add_ReportServiceServicer_to_server(reports, server)
        catalog_facts_pb2_grpc.add_CatalogFactsServiceServicer_to_server(catalog_facts, server)
        shared_spend_pb2_grpc.add_SharedSpendServiceServicer_to_server(shared_spend, server)
        notifications_pb2_grpc.add_NotificationServiceServicer_to_server(notifications, server)

    registrations = {
        "auth_target": register_auth,
        "router_target": lambda server: add_router(router, server),
        "usage_target": register_usage,
    }
    files = {
        "auth_target": (auth_pb2, oauth_pb2, account_pb2, user_context_pb2, owners_pb2, budgets_pb2),
        "router_target": (pb, admin_pb2, batches_pb2),
        "usage_target": (
            usage_pb2,
            catalog_facts_pb2,
            forecasts_pb2,
            insights_pb2,
            notifications_pb2,
            reports_pb2,
            shared_spend_pb2,
            statistics_pb2,
        ),
    }
    async with AsyncExitStack() as stack:
        targets = {}
        for name, register in registrations.items():
            served = running_server(GrpcSettings(grace_s=0.0), register, _always, _open_to_the_gateway(*files[name]))
            port = await stack.enter_async_context(served)
            targets[name] = f"127.0.0.1:{port}"
        yield Backends(
            auth=auth,
            oauth=oauth,
            accounts=accounts,
            budgets=budgets,
            shared_spend=shared_spend,
            router=router,
            usage=usage,
            statistics=statistics,
            forecasts=forecasts,
            insights=insights,
            reports=reports,
            catalog_facts=catalog_facts,
            notifications=notifications,
            owners=owners,
            user_contexts=user_contexts,
            targets=targets,
        )
