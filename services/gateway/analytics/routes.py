"""GET /v1/usage/summary, /timeseries, /compare and /requests."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from servicekit.clock import Clock
from services.gateway.analytics.bodies import CompareBody, RequestsBody, SummaryBody, TimeseriesBody
from services.gateway.analytics.cursor import decode_cursor, encode_cursor
from services.gateway.analytics.grammar import (
    BucketParams,
    FilterParams,
    GroupParams,
    LogParams,
    filters_of,
    period_of,
    question_of,
    whose_of,
)
from services.gateway.analytics.many_rows import with_rows
from services.gateway.analytics.views import (
    change_body,
    drivers_body,
    figures_body,
    line_body,
    model_change_body,
    period_body,
    previous_body,
    rfc3339,
    whose_body,
)
from services.gateway.clients.usage_statistics.client import StatisticsClient
from services.gateway.clients.usage_statistics.values import (
    LogQuestion,
    Previous,
    Question,
    Row,
    Stats,
    Whose,
)
from services.gateway.edge.request_context import Context, RequestContext
from services.gateway.identity.access import Needs, Scope

Body = dict[str, Any] | Response

NEEDS: Final[Needs] = {
    "/v1/usage/summary": Scope.USAGE_READ,
    "/v1/usage/timeseries": Scope.USAGE_READ,
    "/v1/usage/compare": Scope.USAGE_READ,
    "/v1/usage/requests": Scope.USAGE_READ,
}


def usage_router(statistics: StatisticsClient, clock: Clock) -> APIRouter:
    """Return the routes; they show a caller its account's requests, and administrators everybody's."""
    router = APIRouter(tags=["usage"])

    async def ask(context: RequestContext, params: GroupParams, **more: Any) -> tuple[Whose, Question, Stats]:
        caller = context.known_caller
        whose, question = whose_of(params, caller), question_of(params, caller, clock.now(), **more)
        return whose, question, await statistics.stats(whose, question, context.call)

    @router.get("/v1/usage/summary", response_model=SummaryBody)
    async def summary(context: Context, params: Annotated[GroupParams, Query()]) -> Body:
        """Return the figures of a period, by group when one is asked for, and why it cost more or less than before."""
        whose, question, stats = await ask(context, params, quantiles=True, compared=True)
        head = {**_head(whose, question, stats), **_compared(stats)}
        return await with_rows(SummaryBody, head, stats.rows, question.group_by, _dearest_first)

    @router.get("/v1/usage/timeseries", response_model=TimeseriesBody)
    async def timeseries(context: Context, params: Annotated[BucketParams, Query()]) -> Body:
        """Return the figures of each hour, day, week or month in which there was a request, earliest first."""
        whose, question, stats = await ask(context, params)
        head = {**_head(whose, question, stats), "bucket": question.bucket}
        return await with_rows(TimeseriesBody, head, stats.rows, question.group_by)

    @router.get("/v1/usage/compare", response_model=CompareBody)
    async def compare(context: Context, params: Annotated[FilterParams, Query()]) -> dict[str, Any]:
        """Compare a period with the one of the same length before it, and say what drove the cost."""
        caller = context.known_caller
        period, whose = period_of(params, caller, clock.now()), whose_of(params, caller)
        question = Question(period, filters=filters_of(params), quantiles=True, compared=True)
        stats = await statistics.stats(whose, question, context.call)
        return {
            **_head(whose, question, stats),
            **_compared(stats),
            "models": [model_change_body(model) for model in _known(stats).models],
        }

    @router.get("/v1/usage/requests", response_model=RequestsBody)
    async def list_requests(context: Context, params: Annotated[LogParams, Query()]) -> dict[str, Any]:
        """List requests, newest first, page by page."""
        caller = context.known_caller
        question = LogQuestion(
            period_of(params, caller, clock.now()),
            filters_of(params),
            after=decode_cursor(params.cursor),
            # One more than is shown tells whether there is another page.
            limit=params.limit + 1,
        )
        found = await statistics.lines(whose_of(params, caller), question, context.call)
        shown, has_more = found[: params.limit], len(found) > params.limit
        after = encode_cursor(shown[-1].created_at, shown[-1].request_id) if has_more else None
        return {"data": [line_body(line) for line in shown], "has_more": has_more, "next_cursor": after}

    return router


def _head(whose: Whose, question: Question, stats: Stats) -> dict[str, Any]:
    return {
        "user_id": whose_body(whose),
        "period": period_body(question.period),
        "total": figures_body(stats.total),
        "as_of": rfc3339(stats.as_of),
    }


def _compared(stats: Stats) -> dict[str, Any]:
    previous = _known(stats)
    return {
        "previous": previous_body(previous),
        "change": change_body(stats.total, previous.total),
        "drivers": drivers_body(previous.models),
    }


def _known(stats: Stats) -> Previous:
    if stats.previous is None:
        raise RuntimeError("the answer lacks the period before, which was asked for")
    return stats.previous


def _dearest_first(row: Row) -> tuple[bool, int, tuple[str, ...]]:
    return row.is_other, -row.figures.cost_micro_rub, row.group
