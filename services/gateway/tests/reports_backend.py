"""A small report service behind real gRPC: every report is done at once and says what it was ordered as."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.usage.v1 import reports_pb2 as pb
from razvilka.usage.v1 import reports_pb2_grpc

from servicekit.errors import Conflict, ErrorReason, NotFound
from services.gateway.tests.identity_backends import shown_context

CONTENT = b"id,cost_rub\r\n" * 200_000
LINK = pb.ReportLink(expires=1_900_000_000, signature="c2lnbmVk")


class FakeReports(reports_pb2_grpc.ReportServiceServicer):
    """Keeps reports and schedules by their owners; reports are of `status`."""

    def __init__(self) -> None:
        self.status = "done"
        self.kept: dict[tuple[str, str], pb.Report] = {}
        self.schedules: dict[tuple[str, str], pb.Schedule] = {}
        self.shown: list[bytes] = []

    async def OrderReport(self, request: Any, context: Any) -> pb.OrderReportResponse:
        self.shown.append(shown_context(context))
        number = len(self.kept) + 1
        report = pb.Report(
            id=f"report-{number}",
            wishes=request.wishes,
            since=request.since,
            until=request.until,
            status=self.status,
            progress=1.0 if self.status == "done" else 0.25,
            rows=40,
            size_bytes=len(CONTENT),
            sha256=hashlib.sha256(CONTENT).digest(),
            file_name="razvilka-requests-2026-11-01-2026-11-23.csv",
            expires_at=Timestamp(seconds=1_900_000_000),
            link=LINK if self.status == "done" else None,
        )
        self.kept[request.user_id, report.id] = report
        return pb.OrderReportResponse(report=report)

    async def GetReport(self, request: Any, context: Any) -> pb.GetReportResponse:
        return pb.GetReportResponse(report=self._own(request))

    async def ListReports(self, request: Any, context: Any) -> pb.ListReportsResponse:
        mine = [report for (user_id, _), report in self.kept.items() if user_id == request.user_id]
        return pb.ListReportsResponse(reports=mine)

    async def DeleteReport(self, request: Any, context: Any) -> pb.DeleteReportResponse:
        self._own(request)
        del self.kept[request.user_id, request.report_id]
        return pb.DeleteReportResponse()

    async def ReadReport(self, request: Any, context: Any) -> AsyncIterator[pb.ReadReportResponse]:
        report = self._own(request)
        if report.status != "done":
            raise Conflict(ErrorReason.CONFLICT, f"The report is {report.status}.")
        yield pb.ReadReportResponse(report=report)
        for start in range(0, len(CONTENT), 1 << 20):
            yield pb.ReadReportResponse(content=CONTENT[start : start + (1 << 20)])

    async def ReadLinkedReport(self, request: Any, context: Any) -> AsyncIterator[pb.ReadLinkedReportResponse]:
        self.shown.append(shown_context(context))
        found = [report for (_, report_id), report in self.kept.items() if report_id == request.report_id]
        if not found or request.link != LINK:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such report.")
        yield pb.ReadLinkedReportResponse(report=found[0])
        yield pb.ReadLinkedReportResponse(content=CONTENT)

    async def CreateSchedule(self, request: Any, context: Any) -> pb.CreateScheduleResponse:
        return pb.CreateScheduleResponse(schedule=self._put(request, f"schedule-{len(self.schedules) + 1}"))

    async def ReplaceSchedule(self, request: Any, context: Any) -> pb.ReplaceScheduleResponse:
        self._own_schedule(request)
        return pb.ReplaceScheduleResponse(schedule=self._put(request, request.schedule_id))

    async def GetSchedule(self, request: Any, context: Any) -> pb.GetScheduleResponse:
        return pb.GetScheduleResponse(schedule=self._own_schedule(request))

    async def ListSchedules(self, request: Any, context: Any) -> pb.ListSchedulesResponse:
        mine = [schedule for (user_id, _), schedule in self.schedules.items() if user_id == request.user_id]
        return pb.ListSchedulesResponse(schedules=mine)

    async def DeleteSchedule(self, request: Any, context: Any) -> pb.DeleteScheduleResponse:
        self._own_schedule(request)
        del self.schedules[request.user_id, request.schedule_id]
        return pb.DeleteScheduleResponse()

    def _own(self, request: Any) -> pb.Report:
        report = self.kept.get((request.user_id, request.report_id))
        if report is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such report.")
        return report

    def _own_schedule(self, request: Any) -> pb.Schedule:
        schedule = self.schedules.get((request.user_id, request.schedule_id))
        if schedule is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such schedule.")
        return schedule

    def _put(self, request: Any, schedule_id: str) -> pb.Schedule:
        order = request.order
        schedule = pb.Schedule(
            id=schedule_id,
            every=order.every,
            at=order.at,
            when_empty=order.when_empty,
            wishes=order.wishes,
            paused=order.paused,
            next_at=Timestamp(seconds=1_800_000_000),
            maker=getattr(request, "maker", ""),
        )
        self.schedules[request.user_id, schedule_id] = schedule
        return schedule
