"""Reports and schedules as bodies, and bodies as wishes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from services.gateway.analytics.grammar import DIMENSIONS, FilterParams, filters_of, refusal
from services.gateway.clients.usage_reports.values import ReportView, ReportWishes, Rhythm, ScheduleView
from services.gateway.reports.bodies import CsvBody, ReportBody, ReportOrder, ScheduleBody, ScheduleOrder, WishesBody


def params_of(order: WishesBody) -> FilterParams:
    """Return what the grammar of analytics reads: it is the same for a body as for a query.

    Raises:
        InvalidRequest: a filter's dimension is unknown; it is named.
    """
    for name in order.filters:
        if name not in DIMENSIONS:
            raise refusal(f"filters.{name[:64]}", f"is no filter; there are {', '.join(DIMENSIONS)}")
    given: dict[str, Any] = {"tz": order.tz, **order.filters}
    if isinstance(order, ReportOrder):
        given |= {"period": order.period, "from": order.since, "to": order.until}
    return FilterParams(**given)


def wishes_of(order: WishesBody, params: FilterParams, tz: str, key_names: dict[str, str]) -> ReportWishes:
    """Return what the report is to be, in the zone `tz`."""
    return ReportWishes(
        format=order.format,
        report=order.report,
        tz=tz,
        lang=order.lang,
        filters=filters_of(params),
        csv_separator=order.csv.separator,
        csv_decimal_comma=order.csv.decimal == ",",
        csv_byte_order_mark=order.csv.bom,
        csv_titles=order.csv.header == "titles",
        key_names=key_names,
    )


def rhythm_of(order: ScheduleOrder) -> Rhythm:
    """Return when the reports come."""
    return Rhythm(order.every, order.at, order.when_empty, order.paused)


def report_body(report: ReportView, public_url: str) -> ReportBody:
    """Return the body; times of the period are told in the report's zone."""
    zone, link = ZoneInfo(report.wishes.tz), report.link
    return ReportBody(
        id=report.id,
        status=report.status,
        progress=round(report.progress, 4),
        format=report.wishes.format,
        report=report.wishes.report,
        since=report.since.astimezone(zone),
        until=report.until.astimezone(zone),
        tz=report.wishes.tz,
        lang=report.wishes.lang,
        filters={name: list(values) for name, values in report.wishes.filters.items()},
        rows=report.rows,
        size_bytes=report.size_bytes if link else None,
        sha256=report.sha256.hex() if link else None,
        file_name=report.file_name,
        url=_url(report, public_url),
        url_expires_at=datetime.fromtimestamp(link.expires, UTC) if link else None,
        error=report.error or None,
        schedule_id=report.schedule_id or None,
        snapshot_at=report.snapshot_at,
        created_at=report.created_at,
        finished_at=report.finished_at,
        expires_at=report.expires_at,
    )


def schedule_body(schedule: ScheduleView) -> ScheduleBody:
    """Return the body."""
    wishes, rhythm = schedule.wishes, schedule.rhythm
    return ScheduleBody(
        id=schedule.id,
        every=rhythm.every,
        at=rhythm.at,
        when_empty=rhythm.when_empty,
        format=wishes.format,
        report=wishes.report,
        tz=wishes.tz,
        lang=wishes.lang,
        filters={name: list(values) for name, values in wishes.filters.items()},
        csv=_csv(wishes),
        paused=rhythm.paused,
        next_at=schedule.next_at,
        created_at=schedule.created_at,
        made_by=schedule.maker or None,
    )


def _csv(wishes: ReportWishes) -> CsvBody:
    return CsvBody(
        separator=wishes.csv_separator,
        decimal="," if wishes.csv_decimal_comma else ".",
        bom=wishes.csv_byte_order_mark,
        header="titles" if wishes.csv_titles else "names",
    )


def _url(report: ReportView, public_url: str) -> str | None:
    if report.link is None:
        return None
    query = urlencode({"expires": report.link.expires, "signature": report.link.signature})
    return f"{public_url}/v1/reports/{report.id}/download?{query}"
