"""GET /v1/usage/export: every request of a period, a line each, while they are read."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from servicekit.call import CallContext
from servicekit.clock import Clock
from servicekit.spreadsheets.formulas import without_formulas
from services.gateway.analytics.grammar import FilterParams, filters_of, period_of, whose_of
from services.gateway.analytics.views import line_body
from services.gateway.clients.usage_statistics.client import StatisticsClient
from services.gateway.clients.usage_statistics.values import LogQuestion, RequestLine, Whose
from services.gateway.edge.request_context import Context
from services.gateway.identity.access import Needs, Scope

NEEDS: Final[Needs] = {"/v1/usage/export": Scope.USAGE_READ}
PAGE: Final = 1000
# As they stand in the answer's first line; tags are JSON.
COLUMNS: Final = (
    *("id", "created_at", "user_id", "key", "app", "provider", "model", "version", "requested_model"),
    *("resolved_model", "endpoint", "status", "source", "error", "http_status", "stream", "finish_reason"),
    *("tokens_input", "tokens_output", "tokens_cached", "tokens_reasoning", "cost_rub", "cost_micro_rub"),
    *("latency_ms", "first_token_ms", "cache_status", "tags"),
)
_encode: Final = msgspec.json.Encoder().encode
Encode = Callable[[Sequence[RequestLine]], bytes]


class ExportFormat(StrEnum):
    """How a line is written."""

    CSV = "csv"
    JSONL = "jsonl"


class ExportParams(FilterParams):
    """Which requests, and how they are written."""

    format: ExportFormat = ExportFormat.CSV


MEDIA: Final = {ExportFormat.CSV: "text/csv; charset=utf-8", ExportFormat.JSONL: "application/jsonl"}

_LINES: Final = {"schema": {"type": "string"}}
_DESCRIBED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "A line each.", "content": {"text/csv": _LINES, "application/jsonl": _LINES}}
}


def export_router(statistics: StatisticsClient, clock: Clock) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["usage"])

    @router.get("/v1/usage/export", response_class=StreamingResponse, responses=_DESCRIBED)
    async def export(context: Context, params: Annotated[ExportParams, Query()]) -> StreamingResponse:
        """Return every request of a period, oldest first, as CSV or as JSON lines; memory holds a page."""
        caller = context.known_caller
        whose, period = whose_of(params, caller), period_of(params, caller, clock.now())
        question = LogQuestion(period, filters_of(params), oldest_first=True, limit=PAGE)
        # The first page is read before the answer begins: what fails until then has a status of its own.
        first = await statistics.lines(whose, question, context.call)
        name = f"usage-{period.since:%Y%m%d}-{period.until:%Y%m%d}.{params.format}"
        return StreamingResponse(
            _written(statistics, whose, question, first, params.format, context.call),
            media_type=MEDIA[params.format],
            headers={"content-disposition": f'attachment; filename="{name}"'},
        )

    return router


async def _written(
    statistics: StatisticsClient,
    whose: Whose,
    question: LogQuestion,
    page: list[RequestLine],
    written_as: ExportFormat,
    call: CallContext,
) -> AsyncIterator[bytes]:
    encode: Encode = _csv if written_as is ExportFormat.CSV else _json_lines
    if written_as is ExportFormat.CSV:
        yield _csv_lines([COLUMNS])
    while page:
        yield encode(page)
        if len(page) < question.limit:
            return
        question = replace(question, after=(page[-1].created_at, page[-1].request_id))
        page = await statistics.lines(whose, question, call)


def _json_lines(page: Sequence[RequestLine]) -> bytes:
    return b"".join([_encode(line_body(line)) + b"\n" for line in page])


def _csv(page: Sequence[RequestLine]) -> bytes:
    bodies = [line_body(line) for line in page]
    return _csv_lines([[_cell(name, body[name]) for name in COLUMNS] for body in bodies])


def _cell(name: str, value: Any) -> Any:
    if name == "tags":
        return without_formulas(_encode(value).decode()) if value else ""
    if isinstance(value, bool):
        return str(value).lower()
    # Amounts are texts in JSON and numbers here; the guard is for what somebody wrote.
    return without_formulas(value) if isinstance(value, str) and name != "cost_rub" else value


def _csv_lines(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
