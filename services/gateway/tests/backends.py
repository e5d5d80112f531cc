"""Small auth, router and usage services behind real gRPC, that do what a test tells them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from razvilka.auth.v1 import (
    account_pb2,
    account_pb2_grpc,
    administration_pb2,
    administration_pb2_grpc,
    auth_pb2,
    auth_pb2_grpc,
    budgets_pb2,
    budgets_pb2_grpc,
    oauth_pb2,
    oauth_pb2_grpc,
    owners_pb2,
    owners_pb2_grpc,
    personal_data_pb2_grpc,
    user_context_pb2,
    user_context_pb2_grpc,
)
from razvilka.router.v1 import admin_pb2, batches_pb2
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
from razvilka.usage.v1 import personal_data_pb2_grpc as usage_data_grpc

from servicekit.errors import ErrorReason, InvalidRequest, NotFound, ServiceError, Unauthenticated
from servicekit.rpc_server import running_server
from servicekit.settings import GrpcSettings
from servicekit.trust.callers import CallPolicy
from services.gateway.tests.account_backend import FakeAccounts
from services.gateway.tests.administration_backend import FakeAdministration
from services.gateway.tests.budget_backend import FakeBudgets, FakeSharedSpend
from services.gateway.tests.forecast_backend import FakeForecasts
from services.gateway.tests.identity_backends import FakeOAuth, FakeUserContexts
from services.gateway.tests.insights_backend import FakeInsights
from services.gateway.tests.notification_backend import FakeNotifications, FakeOwners
from services.gateway.tests.personal_data_backend import MODULES
from services.gateway.tests.reports_backend import FakeReports
from services.gateway.tests.router_backend import FakeRouter, add_router
from services.gateway.tests.statistics_backend import FakeStatistics
from services.gateway.tests.usage_backend import FakeCatalogFacts, FakeUsage

KEY = "rz_live_test_key"
SCOPES = ("models:read", "completions:write", "embeddings:write", "usage:read")


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
        self.no_keys = False
        self.refusal: ServiceError | None = None
        self.is_away = False

    async def is_there(self) -> bool:
        return not self.is_away

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
        if self.refusal is not None:
            raise self.refusal
        self.ordered = request
        ttl_s = request.cache_ttl_s if request.HasField("cache_ttl_s") else None
        key = self.key(id="key-2", name=request.name, scopes=request.scopes, models=request.models, cache_ttl_s=ttl_s)
        return auth_pb2.CreateApiKeyResponse(key=key, secret="rz_live_fresh")

    async def GetApiKey(self, request: Any, context: Any) -> auth_pb2.GetApiKeyResponse:
        return auth_pb2.GetApiKeyResponse(key=self._known(request.key_id))

    async def ChangeApiKey(self, request: Any, context: Any) -> auth_pb2.ChangeApiKeyResponse:
        self.ordered = request
        key = self._known(request.key_id)
        if request.name == "\u0007":
            raise InvalidRequest(
                ErrorReason.INVALID_PARAMETERS, "The name must have 1 to 100 characters.", param="name"
            )
        return auth_pb2.ChangeApiKeyResponse(key=key)

    def _known(self, key_id: str) -> auth_pb2.ApiKey:
        for key in self.keys or [self.key()]:
            if key.id == key_id:
                return key
        raise NotFound(ErrorReason.NOT_FOUND, "There is no such key.")

    async def ListApiKeys(self, request: Any, context: Any) -> auth_pb2.ListApiKeysResponse:
        if not (request.page_token or "0").isdigit():
            raise InvalidRequest(ErrorReason.INVALID_PARAMETERS, "This is none of ours.", param="page_token")
        keys = [] if self.no_keys else self.keys or [self.key()]
        begin = int(request.page_token or 0)
        end = begin + (request.page_size or len(keys))
        return auth_pb2.ListApiKeysResponse(keys=keys[begin:end], next_page_token=str(end) if end < len(keys) else "")

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


@dataclass(frozen=True, slots=True)
class Backends:
    """The three services and where they listen; auth has four faces."""

    auth: FakeAuth
    oauth: FakeOAuth
    accounts: FakeAccounts
    administration: FakeAdministration
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


def open_to_the_gateway(*modules: Any) -> CallPolicy:
    """Return the policy that lets the gateway, and nobody else, call the services of these modules."""
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
    budgets, shared_spend, administration = FakeBudgets(), FakeSharedSpend(), FakeAdministration()
    oauth.grants["grant-1"] = caller(key_id="", key_name="", grant_id="grant-1", client_id="app-1")

    def register_auth(server: Any) -> None:
        auth_pb2_grpc.add_AuthServiceServicer_to_server(auth, server)
        oauth_pb2_grpc.add_OAuthServiceServicer_to_server(oauth, server)
        account_pb2_grpc.add_AccountServiceServicer_to_server(accounts, server)
        administration_pb2_grpc.add_AdministrationServiceServicer_to_server(administration, server)
        user_context_pb2_grpc.add_UserContextServiceServicer_to_server(user_contexts, server)
        budgets_pb2_grpc.add_BudgetServiceServicer_to_server(budgets, server)
        owners_pb2_grpc.add_OwnerServiceServicer_to_server(owners, server)
        personal_data_pb2_grpc.add_PersonalDataServiceServicer_to_server(accounts.personal_data, server)

    def register_usage(server: Any) -> None:
        usage_pb2_grpc.add_UsageServiceServicer_to_server(usage, server)
        statistics_pb2_grpc.add_StatisticsServiceServicer_to_server(statistics, server)
        forecasts_pb2_grpc.add_ForecastServiceServicer_to_server(forecasts, server)
        insights_pb2_grpc.add_InsightsServiceServicer_to_server(insights, server)
        reports_pb2_grpc.add_ReportServiceServicer_to_server(reports, server)
        catalog_facts_pb2_grpc.add_CatalogFactsServiceServicer_to_server(catalog_facts, server)
        shared_spend_pb2_grpc.add_SharedSpendServiceServicer_to_server(shared_spend, server)
        notifications_pb2_grpc.add_NotificationServiceServicer_to_server(notifications, server)
        usage_data_grpc.add_PersonalDataServiceServicer_to_server(usage.personal_data, server)

    registrations = {
        "auth_target": register_auth,
        "router_target": lambda server: add_router(router, server),
        "usage_target": register_usage,
    }
    files = {
        "auth_target": (
            auth_pb2,
            oauth_pb2,
            account_pb2,
            user_context_pb2,
            owners_pb2,
            budgets_pb2,
            administration_pb2,
            MODULES["auth"],
        ),
        "router_target": (pb, admin_pb2, batches_pb2, MODULES["router"]),
        "usage_target": (
            usage_pb2,
            catalog_facts_pb2,
            forecasts_pb2,
            insights_pb2,
            notifications_pb2,
            reports_pb2,
            shared_spend_pb2,
            statistics_pb2,
            MODULES["usage"],
        ),
    }
    async with AsyncExitStack() as stack:
        targets = {}
        for name, register in registrations.items():
            ready = auth.is_there if name == "auth_target" else _always
            served = running_server(GrpcSettings(grace_s=0.0), register, ready, open_to_the_gateway(*files[name]))
            port = await stack.enter_async_context(served)
            targets[name] = f"127.0.0.1:{port}"
        yield Backends(
            auth=auth,
            oauth=oauth,
            accounts=accounts,
            administration=administration,
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
