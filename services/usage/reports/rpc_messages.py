"""protobuf <-> reports and schedules, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from enum import StrEnum
from typing import TypeVar

from razvilka.usage.v1 import reports_pb2 as pb

from servicekit.errors import InvalidRequest, invalid_parameter
from servicekit.timestamps import timestamp_from_proto, timestamp_to_proto
from services.usage.reports.domain.link import Link
from services.usage.reports.domain.order import PLAIN_CSV, CsvDialect, Format, Kind, Language, Order, Wishes
from services.usage.reports.domain.periods import Every
from services.usage.reports.domain.report import Report, Schedule, WhenEmpty
from services.usage.reports.scheduling import Rhythm
from services.usage.statistics.domain.query import Dimension

Value = TypeVar("Value", bound=StrEnum)


def order_from_proto(message: pb.OrderReportRequest) -> Order:
    """Return what is ordered.

    Raises:
        InvalidRequest: a value is none that we know; the field is named.
    """
    since, until = timestamp_from_proto(message.since, "from"), timestamp_from_proto(message.until, "to")
    return Order(message.user_id, since, until, wishes_from_proto(message.wishes))


def wishes_from_proto(message: pb.ReportWishes) -> Wishes:
    """Return what a report is to be.

    Raises:
        InvalidRequest: a value is none that we know; the field is named.
    """
    return Wishes(
        format=_value(Format, message.format, "format"),
        kind=_value(Kind, message.kind, "report"),
        zone=message.zone,
        language=_value(Language, message.language, "lang"),
        filters={_value(Dimension, item.dimension, "filters"): tuple(item.values) for item in message.filters},
        csv=CsvDialect(
            separator=message.csv_separator or PLAIN_CSV.separator,
            decimal_comma=message.csv_decimal_comma,
            byte_order_mark=message.csv_byte_order_mark,
            titles=message.csv_titles,
        ),
        key_names=dict(message.key_names),
    )


def rhythm_from_proto(message: pb.ScheduleOrder) -> Rhythm:
    """Return when a schedule's reports come.

    Raises:
        InvalidRequest: a value is none that we know; the field is named.
    """
    try:
        at = time.fromisoformat(message.at)
    except ValueError:
        raise _invalid("at", "must be a time of day such as 09:00") from None
    if at.tzinfo is not None:
        raise _invalid("at", "must have no time zone: `tz` is that of the report")
    every = _value(Every, message.every, "every")
    return Rhythm(every, at, _value(WhenEmpty, message.when_empty, "when_empty"), message.paused)


def wishes_to_proto(wishes: Wishes) -> pb.ReportWishes:
    """Return the message."""
    return pb.ReportWishes(
        format=wishes.format.value,
        kind=wishes.kind.value,
        zone=wishes.zone,
        language=wishes.language.value,
        filters=_filters(wishes.filters),
        csv_separator=wishes.csv.separator,
        csv_decimal_comma=wishes.csv.decimal_comma,
        csv_byte_order_mark=wishes.csv.byte_order_mark,
        csv_titles=wishes.csv.titles,
        key_names=wishes.key_names,
    )


def report_to_proto(report: Report, link: Link | None = None) -> pb.Report:
    """Return the message; a link is for the owner of a report that is done."""
    return pb.Report(
        id=report.id,
        wishes=wishes_to_proto(report.order.wishes),
        since=timestamp_to_proto(report.order.since),
        until=timestamp_to_proto(report.order.until),
        status=report.status.value,
        progress=report.progress,
        rows=report.rows_total,
        error=report.error,
        size_bytes=report.size_bytes,
        sha256=report.sha256,
        file_name=report.file_name,
        schedule_id=report.schedule_id,
        snapshot_at=timestamp_to_proto(report.snapshot_at),
        created_at=timestamp_to_proto(report.created_at),
        finished_at=timestamp_to_proto(report.finished_at),
        expires_at=timestamp_to_proto(report.expires_at),
        link=None if link is None else pb.ReportLink(expires=link.expires, signature=link.signature),
    )


def schedule_to_proto(schedule: Schedule) -> pb.Schedule:
    """Return the message."""
    return pb.Schedule(
        id=schedule.id,
        every=schedule.every.value,
        at=schedule.at.isoformat("minutes"),
        when_empty=schedule.when_empty.value,
        wishes=wishes_to_proto(schedule.wishes),
        next_at=timestamp_to_proto(schedule.next_at),
        created_at=timestamp_to_proto(schedule.created_at),
        paused=schedule.paused,
        maker=schedule.maker,
    )


def _filters(filters: Mapping[Dimension, tuple[str, ...]]) -> list[pb.Filter]:
    return [pb.Filter(dimension=dimension.value, values=values) for dimension, values in filters.items()]


def _value(kind: type[Value], given: str, param: str) -> Value:
    try:
        return kind(given)
    except ValueError:
        raise _invalid(param, f"must be one of {', '.join(kind)}") from None


def _invalid(param: str, problem: str) -> InvalidRequest:
    return invalid_parameter(param, f"`{param}` {problem}.")
