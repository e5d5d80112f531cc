"""gRPC servicer of reports: decode, call, encode; no rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import grpc
from razvilka.usage.v1 import reports_pb2 as pb
from razvilka.usage.v1 import reports_pb2_grpc as pb_grpc

from services.usage.reports.domain.link import Link
from services.usage.reports.domain.order import Format, Order
from services.usage.reports.domain.report import Report, Status
from services.usage.reports.ordering import Reports
from services.usage.reports.rpc_messages import (
    order_from_proto,
    report_to_proto,
    rhythm_from_proto,
    schedule_to_proto,
    wishes_from_proto,
)
from services.usage.reports.scheduling import Schedules

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
# Who makes a report; the façade of the service does.
GenerateReport: TypeAlias = Callable[[str, Format, Order | None], Awaitable[Report]]


class ReportServicer(pb_grpc.ReportServiceServicer):
    """Implements the report service."""

    def __init__(self, reports: Reports, schedules: Schedules, generate: GenerateReport) -> None:
        self._generate = generate
        self._reports = reports
        self._schedules = schedules

    async def OrderReport(self, request: pb.OrderReportRequest, context: Context) -> pb.OrderReportResponse:
        """Make a report, now or later."""
        order = order_from_proto(request)
        made = await self._generate(order.user_id, order.wishes.format, order)
        return pb.OrderReportResponse(report=self._linked(made))

    async def GetReport(self, request: pb.GetReportRequest, context: Context) -> pb.GetReportResponse:
        """Tell how far a report is."""
        found = await self._reports.find(request.user_id, request.report_id)
        return pb.GetReportResponse(report=self._linked(found))

    async def ListReports(self, request: pb.ListReportsRequest, context: Context) -> pb.ListReportsResponse:
        """Return the reports of a user."""
        return pb.ListReportsResponse(reports=map(self._linked, await self._reports.list(request.user_id)))

    async def DeleteReport(self, request: pb.DeleteReportRequest, context: Context) -> pb.DeleteReportResponse:
        """Delete a report."""
        await self._reports.delete(request.user_id, request.report_id)
        return pb.DeleteReportResponse()

    async def ReadReport(self, request: pb.ReadReportRequest, context: Context) -> AsyncIterator[pb.ReadReportResponse]:
        """Return the content of a report to its owner."""
        report = await self._reports.find(request.user_id, request.report_id)
        pieces = self._reports.content(report)
        yield pb.ReadReportResponse(report=report_to_proto(report))
        async for piece in pieces:
            yield pb.ReadReportResponse(content=piece)

    async def ReadLinkedReport(
        self, request: pb.ReadLinkedReportRequest, context: Context
    ) -> AsyncIterator[pb.ReadLinkedReportResponse]:
        """Return the content of a report to whoever has a link."""
        link = Link(request.link.expires, request.link.signature)
        report = await self._reports.open_link(request.report_id, link)
        pieces = self._reports.content(report)
        yield pb.ReadLinkedReportResponse(report=report_to_proto(report))
        async for piece in pieces:
            yield pb.ReadLinkedReportResponse(content=piece)

    async def CreateSchedule(self, request: pb.CreateScheduleRequest, context: Context) -> pb.CreateScheduleResponse:
        """Have reports made regularly."""
        wishes, rhythm = wishes_from_proto(request.order.wishes), rhythm_from_proto(request.order)
        made = await self._schedules.create(request.user_id, wishes, rhythm, request.maker)
        return pb.CreateScheduleResponse(schedule=schedule_to_proto(made))

    async def ReplaceSchedule(self, request: pb.ReplaceScheduleRequest, context: Context) -> pb.ReplaceScheduleResponse:
        """Change all of a schedule."""
        wishes, rhythm = wishes_from_proto(request.order.wishes), rhythm_from_proto(request.order)
        changed = await self._schedules.replace(request.user_id, request.schedule_id, wishes, rhythm)
        return pb.ReplaceScheduleResponse(schedule=schedule_to_proto(changed))

    async def GetSchedule(self, request: pb.GetScheduleRequest, context: Context) -> pb.GetScheduleResponse:
        """Return one schedule."""
        found = await self._schedules.find(request.user_id, request.schedule_id)
        return pb.GetScheduleResponse(schedule=schedule_to_proto(found))

    async def ListSchedules(self, request: pb.ListSchedulesRequest, context: Context) -> pb.ListSchedulesResponse:
        """Return the schedules of a user."""
        found = await self._schedules.list(request.user_id)
        return pb.ListSchedulesResponse(schedules=map(schedule_to_proto, found))

    async def DeleteSchedule(self, request: pb.DeleteScheduleRequest, context: Context) -> pb.DeleteScheduleResponse:
        """Delete a schedule."""
        await self._schedules.delete(request.user_id, request.schedule_id)
        return pb.DeleteScheduleResponse()

    def _linked(self, report: Report) -> pb.Report:
        return report_to_proto(report, self._reports.link(report) if report.status is Status.DONE else None)
