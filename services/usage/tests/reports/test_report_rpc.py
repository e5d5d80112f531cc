"""Reports over real gRPC."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.usage.v1 import reports_pb2 as pb
from razvilka.usage.v1 import usage_pb2, usage_pb2_grpc
from razvilka.usage.v1.reports_pb2_grpc import ReportServiceStub

from servicekit.errors import InvalidRequest, NotFound
from servicekit.rpc_client import unary
from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from services.usage.reports.rpc_messages import order_from_proto
from services.usage.reports.settings import ReportSettings
from services.usage.rpc import record_to_proto
from services.usage.server import running
from services.usage.settings import UsageSettings
from services.usage.tests.records import LONG_S
from services.usage.tests.reports.histories import BEGINS, ENDS, history
from tools.testing.patience import postgres_settings
from tools.testing.plugin import MakeDatabaseDsn


@pytest.fixture
async def stub(make_database_dsn: MakeDatabaseDsn, clock: FakeClock, tmp_path) -> AsyncIterator[Any]:
    """Yield a stub of the running service, which has stored a history."""
    settings = UsageSettings(
        postgres=postgres_settings(await make_database_dsn("usage")),
        reports=ReportSettings(scratch_dir=tmp_path),
    )
    async with running(settings, clock=clock) as port, ready_channel(port) as channel:
        batch = usage_pb2.RecordRequest(records=map(record_to_proto, history(50)))
        await unary(usage_pb2_grpc.UsageServiceStub(channel).Record, batch, deadline_s=LONG_S)
        yield ReportServiceStub(channel)


def stamp(moment: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment)
    return made


def wishes(**changes: Any) -> pb.ReportWishes:
    given = {"format": "csv", "kind": "requests", "zone": "Europe/Moscow", "language": "ru"}
    return pb.ReportWishes(**{**given, **changes})


def ordered(**changes: Any) -> pb.OrderReportRequest:
    return pb.OrderReportRequest(user_id="user-1", since=stamp(BEGINS), until=stamp(ENDS), wishes=wishes(**changes))


async def content_of(stream: Any) -> tuple[pb.Report, bytes]:
    first, *others = [message async for message in stream]
    return first.report, b"".join(message.content for message in others)


async def test_a_report_is_ordered_read_linked_and_deleted(stub: Any) -> None:
    """Its owner and whoever has the link get the same bytes, with the checksum that was told."""
    filters = [pb.Filter(dimension="provider", values=["gigachat"])]
    report = (await unary(stub.OrderReport, ordered(filters=filters), deadline_s=LONG_S)).report

    _, own = await content_of(stub.ReadReport(pb.ReadReportRequest(user_id="user-1", report_id=report.id)))
    told, linked = await content_of(
        stub.ReadLinkedReport(pb.ReadLinkedReportRequest(report_id=report.id, link=report.link))
    )
    listed = (await unary(stub.ListReports, pb.ListReportsRequest(user_id="user-1"), deadline_s=LONG_S)).reports
    await unary(stub.DeleteReport, pb.DeleteReportRequest(user_id="user-1", report_id=report.id), deadline_s=LONG_S)

    assert own == linked
    assert hashlib.sha256(own).digest() == report.sha256 == told.sha256
    assert (report.status, report.rows, report.progress, report.size_bytes) == ("done", 16, 1.0, len(own))
    assert report.file_name == "razvilka-requests-2026-10-20-2026-11-10.csv"
    assert [(each.id, each.wishes) for each in listed] == [(report.id, report.wishes)]
    # The list of an owner has links; whoever opens one is given no other.
    assert (listed[0].link.expires, told.HasField("link")) == (report.link.expires, False)
    with pytest.raises(NotFound):
        await unary(stub.GetReport, pb.GetReportRequest(user_id="user-1", report_id=report.id), deadline_s=LONG_S)


async def test_a_link_that_is_wrong_opens_nothing(stub: Any) -> None:
    """As if there were no such report."""
    report = (await unary(stub.OrderReport, ordered(), deadline_s=LONG_S)).report
    wrong = pb.ReportLink(expires=report.link.expires, signature=report.link.signature[::-1])

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await content_of(stub.ReadLinkedReport(pb.ReadLinkedReportRequest(report_id=report.id, link=wrong)))

    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"format": "docx"}, "format"),
        ({"kind": "everything"}, "report"),
        ({"language": "de"}, "lang"),
        ({"filters": [pb.Filter(dimension="mood", values=["good"])]}, "filters"),
    ],
)
def test_a_word_that_is_not_known_names_its_field(changes: dict[str, Any], param: str) -> None:
    """And says what is allowed."""
    with pytest.raises(InvalidRequest, match="must be one of") as refused:
        order_from_proto(ordered(**changes))

    assert refused.value.param == param


async def test_a_schedule_lives_through_its_calls(stub: Any) -> None:
    """Created, replaced, found, listed, deleted."""
    order = pb.ScheduleOrder(every="week", at="09:00", when_empty="skip", wishes=wishes(format="pdf", kind="summary"))
    made = await unary(stub.CreateSchedule, pb.CreateScheduleRequest(user_id="user-1", order=order), deadline_s=LONG_S)
    named = {"user_id": "user-1", "schedule_id": made.schedule.id}
    order.at = "25:00"
    with pytest.raises(InvalidRequest, match="time of day"):
        await unary(stub.ReplaceSchedule, pb.ReplaceScheduleRequest(**named, order=order), deadline_s=LONG_S)
    order.at, order.every = "07:15", "month"

    changed = await unary(stub.ReplaceSchedule, pb.ReplaceScheduleRequest(**named, order=order), deadline_s=LONG_S)

    found = await unary(stub.GetSchedule, pb.GetScheduleRequest(**named), deadline_s=LONG_S)
    listed = await unary(stub.ListSchedules, pb.ListSchedulesRequest(user_id="user-1"), deadline_s=LONG_S)
    await unary(stub.DeleteSchedule, pb.DeleteScheduleRequest(**named), deadline_s=LONG_S)
    assert made.schedule.next_at.ToDatetime(UTC) == datetime(2026, 11, 30, 6, tzinfo=UTC)
    assert changed.schedule.next_at.ToDatetime(UTC) == datetime(2026, 12, 1, 4, 15, tzinfo=UTC)
    assert found.schedule == listed.schedules[0] == changed.schedule
    assert not (await unary(stub.ListSchedules, pb.ListSchedulesRequest(user_id="user-1"), deadline_s=LONG_S)).schedules


async def test_a_schedule_keeps_the_maker_that_it_was_made_with(stub: Any) -> None:
    """Whoever replaces it has not made it; who says nothing of it is a person, or a gateway of before."""
    order = pb.ScheduleOrder(every="week", at="09:00", when_empty="skip", wishes=wishes(format="pdf", kind="summary"))
    asked = pb.CreateScheduleRequest(user_id="user-1", order=order, maker="grant:app")
    made = await unary(stub.CreateSchedule, asked, deadline_s=LONG_S)
    mine = await unary(stub.CreateSchedule, pb.CreateScheduleRequest(user_id="user-1", order=order), deadline_s=LONG_S)
    again = pb.ReplaceScheduleRequest(user_id="user-1", schedule_id=made.schedule.id, order=order)

    changed = await unary(stub.ReplaceSchedule, again, deadline_s=LONG_S)

    asked.maker = "somebody"
    with pytest.raises(InvalidRequest, match="maker"):
        await unary(stub.CreateSchedule, asked, deadline_s=LONG_S)
    assert (made.schedule.maker, changed.schedule.maker, mine.schedule.maker) == ("grant:app", "grant:app", "")
