"""protobuf <-> reports and schedules."""

from __future__ import annotations

from datetime import UTC

from razvilka.usage.v1 import reports_pb2 as pb

from services.gateway.clients.timestamps import moment
from services.gateway.clients.usage_reports.values import ReportLink, ReportView, ReportWishes, Rhythm, ScheduleView


def order_to_proto(wishes: ReportWishes, rhythm: Rhythm) -> pb.ScheduleOrder:
    """Return the message."""
    return pb.ScheduleOrder(
        every=rhythm.every,
        at=rhythm.at,
        when_empty=rhythm.when_empty,
        wishes=wishes_to_proto(wishes),
        paused=rhythm.paused,
    )


def wishes_to_proto(wishes: ReportWishes) -> pb.ReportWishes:
    """Return the message."""
    return pb.ReportWishes(
        format=wishes.format,
        kind=wishes.report,
        zone=wishes.tz,
        language=wishes.lang,
        filters=[pb.Filter(dimension=name, values=values) for name, values in wishes.filters.items()],
        csv_separator=wishes.csv_separator,
        csv_decimal_comma=wishes.csv_decimal_comma,
        csv_byte_order_mark=wishes.csv_byte_order_mark,
        csv_titles=wishes.csv_titles,
        key_names=wishes.key_names,
    )


def _wishes(message: pb.ReportWishes) -> ReportWishes:
    return ReportWishes(
        format=message.format,
        report=message.kind,
        tz=message.zone,
        lang=message.language,
        filters={item.dimension: tuple(item.values) for item in message.filters},
        csv_separator=message.csv_separator,
        csv_decimal_comma=message.csv_decimal_comma,
        csv_byte_order_mark=message.csv_byte_order_mark,
        csv_titles=message.csv_titles,
        key_names=dict(message.key_names),
    )


def report_from_proto(message: pb.Report) -> ReportView:
    """Return a report."""
    link = ReportLink(message.link.expires, message.link.signature) if message.HasField("link") else None
    return ReportView(
        id=message.id,
        wishes=_wishes(message.wishes),
        since=message.since.ToDatetime(tzinfo=UTC),
        until=message.until.ToDatetime(tzinfo=UTC),
        status=message.status,
        progress=message.progress,
        rows=message.rows,
        error=message.error,
        size_bytes=message.size_bytes,
        sha256=message.sha256,
        file_name=message.file_name,
        schedule_id=message.schedule_id,
        snapshot_at=moment(message, "snapshot_at"),
        created_at=moment(message, "created_at"),
        finished_at=moment(message, "finished_at"),
        expires_at=moment(message, "expires_at"),
        link=link,
    )


def schedule_from_proto(message: pb.Schedule) -> ScheduleView:
    """Return a schedule."""
    return ScheduleView(
        id=message.id,
        wishes=_wishes(message.wishes),
        rhythm=Rhythm(message.every, message.at, message.when_empty, message.paused),
        maker=message.maker,
        next_at=moment(message, "next_at"),
        created_at=moment(message, "created_at"),
    )
