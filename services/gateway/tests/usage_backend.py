"""A usage service behind real gRPC that keeps rows in memory."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from razvilka.usage.v1 import (
    catalog_facts_pb2,
    catalog_facts_pb2_grpc,
    usage_pb2,
    usage_pb2_grpc,
)

from servicekit.errors import ErrorReason, NotFound, ServiceError, Unavailable
from services.gateway.tests.identity_backends import shown_context
from services.gateway.tests.personal_data_backend import FakeUsageData


class FakeUsage(usage_pb2_grpc.UsageServiceServicer):
    """Keeps what is recorded."""

    def __init__(self) -> None:
        self.personal_data = FakeUsageData()
        self.rows: dict[str, usage_pb2.UsageRecord] = {}
        self.arrived = asyncio.Condition()
        self.spend = 1_250_000
        self.is_away = False
        self.broken: list[usage_pb2.Broken] = []
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
        async with asyncio.timeout(60), self.arrived:
            await self.arrived.wait_for(lambda: request_id in self.rows if request_id else bool(self.rows))
            if request_id:
                return self.rows[request_id]
            (only,) = self.rows.values()
            return only

    async def GetSpend(self, request: Any, context: Any) -> usage_pb2.GetSpendResponse:
        """All was spent before now: a window that is still to come has nothing."""
        lies_ahead = request.since.seconds > time.time()
        return usage_pb2.GetSpendResponse(cost_micro_rub=0 if lies_ahead else self.spend)

    async def CheckLedger(self, request: Any, context: Any) -> usage_pb2.CheckInvariantsResponse:
        return usage_pb2.CheckInvariantsResponse(broken=self.broken, rows_checked=7)

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
