"""Orders reports and reads them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final

import grpc
from razvilka.usage.v1 import reports_pb2 as pb
from razvilka.usage.v1 import reports_pb2_grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from servicekit.timestamps import timestamp_to_proto
from services.gateway.clients.usage_reports.messages import (
    order_to_proto,
    report_from_proto,
    schedule_from_proto,
    wishes_to_proto,
)
from services.gateway.clients.usage_reports.values import (
    ReportContent,
    ReportLink,
    ReportView,
    ReportWishes,
    Rhythm,
    ScheduleView,
)
from services.gateway.clients.user_contexts import InWhoseName, UserCalls

READ_DEADLINE_S: Final = 5.0
# A report about few requests is made while its order waits; one about years of requests is counted first.
ORDER_DEADLINE_S: Final = 60.0
# Whoever reads at 100 kB/s has all of the largest by then.
CONTENT_DEADLINE_S: Final = 3600.0


class ReportClient:
    """Orders reports and reads them. `in_whose_name` shows the service that their owner asks."""

    def __init__(self, channel: grpc.aio.Channel, in_whose_name: InWhoseName) -> None:
        self._stub: Any = reports_pb2_grpc.ReportServiceStub(channel)
        self._ask = UserCalls(in_whose_name, READ_DEADLINE_S)

    async def order(
        self, user_id: str, since: datetime, until: datetime, wishes: ReportWishes, call: CallContext
    ) -> ReportView:
        """Return a new report: done already when it is about few requests.

        Raises:
            InvalidRequest: it cannot be made; the field is named.
            QuotaExceeded: the user has too many.
        """
        request = pb.OrderReportRequest(
            user_id=user_id,
            since=timestamp_to_proto(since),
            until=timestamp_to_proto(until),
            wishes=wishes_to_proto(wishes),
        )
        return report_from_proto((await self._ask(self._stub.OrderReport, request, call, ORDER_DEADLINE_S)).report)

    async def find(self, user_id: str, report_id: str, call: CallContext) -> ReportView:
        """Return a report of the user.

        Raises:
            NotFound: there is none.
        """
        request = pb.GetReportRequest(user_id=user_id, report_id=report_id)
        return report_from_proto((await self._ask(self._stub.GetReport, request, call)).report)

    async def list_reports(self, user_id: str, call: CallContext) -> list[ReportView]:
        """Return the user's reports, newest first."""
        answer = await self._ask(self._stub.ListReports, pb.ListReportsRequest(user_id=user_id), call)
        return [report_from_proto(each) for each in answer.reports]

    async def delete(self, user_id: str, report_id: str, call: CallContext) -> None:
        """Delete a report.

        Raises:
            NotFound: there is none.
        """
        await self._ask(self._stub.DeleteReport, pb.DeleteReportRequest(user_id=user_id, report_id=report_id), call)

    async def read(self, user_id: str, report_id: str, call: CallContext) -> ReportContent:
        """Return the content of a report of the user.

        Raises:
            Conflict: it is not done.
            NotFound: there is none.
        """
        request = pb.ReadReportRequest(user_id=user_id, report_id=report_id)
        return await self._read(self._stub.ReadReport, request, call, await self._ask.in_whose_name(call))

    async def read_linked(self, report_id: str, link: ReportLink, call: CallContext) -> ReportContent:
        """Return the content of the report that a link opens.

        Raises:
            NotFound: it opens none.
        """
        message = pb.ReportLink(expires=link.expires, signature=link.signature)
        request = pb.ReadLinkedReportRequest(report_id=report_id, link=message)
        return await self._read(self._stub.ReadLinkedReport, request, call, b"")

    async def create_schedule(
        self, user_id: str, wishes: ReportWishes, rhythm: Rhythm, call: CallContext, *, maker: str
    ) -> ScheduleView:
        """Return a new schedule, which ends with its maker.

        Raises:
            InvalidRequest: its reports could not be made; the field is named.
            QuotaExceeded: the user has too many.
        """
        request = pb.CreateScheduleRequest(user_id=user_id, order=order_to_proto(wishes, rhythm), maker=maker)
        return schedule_from_proto((await self._ask(self._stub.CreateSchedule, request, call)).schedule)

    async def replace_schedule(
        self, user_id: str, schedule_id: str, wishes: ReportWishes, rhythm: Rhythm, call: CallContext
    ) -> ScheduleView:
        """Return the schedule as it is from now on.

        Raises:
            InvalidRequest: its reports could not be made; the field is named.
            NotFound: there is none.
        """
        order = order_to_proto(wishes, rhythm)
        request = pb.ReplaceScheduleRequest(user_id=user_id, schedule_id=schedule_id, order=order)
        return schedule_from_proto((await self._ask(self._stub.ReplaceSchedule, request, call)).schedule)

    async def find_schedule(self, user_id: str, schedule_id: str, call: CallContext) -> ScheduleView:
        """Return a schedule of the user.

        Raises:
            NotFound: there is none.
        """
        request = pb.GetScheduleRequest(user_id=user_id, schedule_id=schedule_id)
        return schedule_from_proto((await self._ask(self._stub.GetSchedule, request, call)).schedule)

    async def list_schedules(self, user_id: str, call: CallContext) -> list[ScheduleView]:
        """Return the user's schedules, oldest first."""
        answer = await self._ask(self._stub.ListSchedules, pb.ListSchedulesRequest(user_id=user_id), call)
        return [schedule_from_proto(each) for each in answer.schedules]

    async def delete_schedule(self, user_id: str, schedule_id: str, call: CallContext) -> None:
        """Delete a schedule; reports that it made stay.

        Raises:
            NotFound: there is none.
        """
        request = pb.DeleteScheduleRequest(user_id=user_id, schedule_id=schedule_id)
        await self._ask(self._stub.DeleteSchedule, request, call)

    async def _read(self, method: Any, request: Any, call: CallContext, user_context: bytes) -> ReportContent:
        messages = rpc_client.stream(
            method, request, deadline_s=CONTENT_DEADLINE_S, call=call, user_context=user_context
        )
        # What fails until the first message has a status of its own.
        first = await anext(messages)
        return ReportContent(report_from_proto(first.report), _pieces(messages))


async def _pieces(messages: Any) -> AsyncIterator[bytes]:
    async with aclosing(messages):
        async for message in messages:
            yield message.content
