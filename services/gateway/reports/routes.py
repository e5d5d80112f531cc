"""/v1/reports: what was used, as a file."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as PathParam
from starlette.responses import Response, StreamingResponse

from servicekit.errors import NotFound
from services.gateway.clients.usage_reports.values import ReportContent, ReportLink
from services.gateway.edge.reading.json_body import json_of
from services.gateway.edge.request_context import Context
from services.gateway.pages.answers import is_for_people, language_of, lone_page
from services.gateway.pages.policy import FILE_POLICY
from services.gateway.reports.bodies import DeletedReportBody, ReportBody, ReportList, ReportOrder
from services.gateway.reports.needs import CONTENT, DOWNLOAD, REPORT, REPORTS
from services.gateway.reports.parts import ReportParts
from services.gateway.reports.views import report_body

MEDIA: Final = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
    "parquet": "application/vnd.apache.parquet",
}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The file.", "content": {media.partition(";")[0]: {} for media in MEDIA.values()}}
}
ReportId = Annotated[str, PathParam(max_length=64)]


def reports_router(parts: ReportParts) -> APIRouter:
    """Return the routes of reports; they show a caller their own only."""
    router = APIRouter(tags=["reports"])
    _add_list(router, parts)
    _add_one(router, parts)
    _add_content(router, parts)
    return router


def _add_list(router: APIRouter, parts: ReportParts) -> None:
    @router.post(REPORTS, response_model=ReportBody, status_code=202)
    async def order_report(
        context: Context, order: Annotated[ReportOrder, Depends(json_of(ReportOrder))]
    ) -> ReportBody:
        """Order a report. About few requests it is done at once, else `status` and `progress` tell how far it is."""
        base_url = await parts.address()
        period, wishes = await parts.understood(order, context)
        user_id = context.known_caller.user_id
        made = await parts.reports.order(user_id, period.since, period.until, wishes, context.call)
        return report_body(made, base_url)

    @router.get(REPORTS, response_model=ReportList)
    async def list_reports(context: Context) -> ReportList:
        """List the reports that are kept, newest first."""
        found = await parts.reports.list_reports(context.known_caller.user_id, context.call)
        base_url = await parts.address()
        return ReportList(data=[report_body(each, base_url) for each in found])


def _add_one(router: APIRouter, parts: ReportParts) -> None:
    @router.get(REPORT, response_model=ReportBody)
    async def get_report(context: Context, report_id: ReportId) -> ReportBody:
        """Tell how far a report is; once it is done, `url` opens it."""
        found = await parts.reports.find(context.known_caller.user_id, report_id, context.call)
        return report_body(found, await parts.address())

    @router.delete(REPORT, response_model=DeletedReportBody)
    async def delete_report(context: Context, report_id: ReportId) -> DeletedReportBody:
        """Delete a report and its content, whether it is done or not; links to it open nothing any more."""
        await parts.reports.delete(context.known_caller.user_id, report_id, context.call)
        return DeletedReportBody(id=report_id, object="report")


def _add_content(router: APIRouter, parts: ReportParts) -> None:
    @router.get(CONTENT, response_class=StreamingResponse, responses=_FILE)
    async def get_content(context: Context, report_id: ReportId) -> StreamingResponse:
        """Return the file."""
        return _file(await parts.reports.read(context.known_caller.user_id, report_id, context.call))

    @router.get(DOWNLOAD, response_class=StreamingResponse, response_model=None, responses=_FILE)
    async def download(
        request: Request,
        context: Context,
        report_id: ReportId,
        expires: Annotated[int, Query(ge=0, le=2**53)],
        signature: Annotated[str, Query(max_length=128)],
    ) -> Response:
        """Return the file to whoever has the link of a report, without a credential."""
        await parts.count_address(request.scope)
        try:
            return _file(await parts.reports.read_linked(report_id, ReportLink(expires, signature), context.call))
        except NotFound:
            # The link stands in mails, and is opened long after it ended.
            if not is_for_people(context):
                raise
            said = {
                "title": "reports.link_over_title",
                "text": "reports.link_over",
                "link": "/console/reports",
                "label": "menu.reports",
            }
            return lone_page(context, "message.html", said, language=language_of(context), status=404)


def _file(found: ReportContent) -> StreamingResponse:
    report = found.report
    headers = {
        "Content-Length": str(report.size_bytes),
        "Content-Disposition": f'attachment; filename="{report.file_name}"',
        "Content-Security-Policy": FILE_POLICY,
        "Repr-Digest": f"sha-256=:{base64.b64encode(report.sha256).decode()}:",
    }
    return StreamingResponse(found.pieces, media_type=MEDIA[report.wishes.format], headers=headers)
