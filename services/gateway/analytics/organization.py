"""GET /v1/organization/usage/completions and /costs: figures in the shapes that tools for OpenAI read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from servicekit.clock import Clock
from services.gateway.admission.periods import moment
from services.gateway.analytics import page_token
from services.gateway.analytics.grammar import BEGINNING, check_span, refusal
from services.gateway.clients.caller import Caller
from services.gateway.clients.usage_statistics.client import StatisticsClient
from services.gateway.clients.usage_statistics.values import Period, Question, Row, Whose
from services.gateway.edge.request_context import Context, RequestContext
from services.gateway.identity.access import Needs, Scope

NEEDS: Final[Needs] = {
    "/v1/organization/usage/completions": Scope.USAGE_READ,
    "/v1/organization/costs": Scope.USAGE_READ,
}
# Their name of a dimension -> ours; None: there is nothing of the kind here, so it parts nothing and is null.
USAGE_GROUPS: Final = {
    "model": "version",
    "api_key_id": "key",
    "user_id": "user",
    "project_id": None,
    "batch": None,
    "service_tier": None,
}
COST_GROUPS: Final = {"line_item": "version", "project_id": None}
_LISTS: Final = ("group_by", "models", "api_key_ids", "user_ids", "project_ids")
LISTS: Final = frozenset({*_LISTS, *[f"{name}[]" for name in _LISTS]})
COMPLETIONS: Final = ("chat.completions", "completions", "messages", "responses")
WIDTHS: Final = {"1h": (timedelta(hours=1), "hour", 24, 168), "1d": (timedelta(days=1), "day", 7, 180)}
# Of a page, over all its buckets: the usage of a day by model and key may be a hundred thousand results.
RESULTS_MAX: Final = 1_000

Show = Callable[[Row, dict[str, str | None]], dict[str, Any]]
Texts = Annotated[list[str], Field(default_factory=list)]


class OrganizationParams(BaseModel):
    """As OpenAI names them; lists may be repeated, also with `[]` behind the name."""

    start_time: int = Field(ge=0, le=10**11, description="Unix seconds; the bucket that it lies in is the first.")
    end_time: int | None = Field(None, ge=0, le=10**11, description="Unix seconds, excluded; without it: now.")
    bucket_width: str = Field("1d", description="`1h` or `1d`, in UTC.")
    limit: int | None = Field(None, ge=1, description="Buckets of a page: 24 or 7 unless said, 168 or 180 at most.")
    page: str = Field("", max_length=4096, description="`next_page` of the page before.")
    group_by: Texts
    models: Texts
    api_key_ids: Texts
    user_ids: Texts
    project_ids: Texts


@dataclass(frozen=True, slots=True)
class Page:
    """The buckets of a page: where each begins and ends, and where the next page begins, in Unix seconds.

    Attributes:
        after: the group in the first bucket behind which the page begins; None: it begins with the bucket.
    """

    period: Period
    bucket: str
    width_s: int
    next_s: int | None
    after: tuple[str, ...] | None


def organization_router(statistics: StatisticsClient, clock: Clock) -> APIRouter:
    """Return the routes: an administrator sees everybody's requests, anybody else its own."""
    router = APIRouter(tags=["usage"])

    async def page_of(
        request: Request, context: RequestContext, given: OrganizationParams, groups: dict[str, str | None], show: Show
    ) -> dict[str, Any]:
        params = _with_brackets(given, request)
        named, asked = _groups(params.group_by, groups)
        page = _page(params, clock.now(), len(asked))
        whose, filters = _whose(params, context.known_caller), _filters(params)
        if groups is USAGE_GROUPS:
            filters["endpoint"] = COMPLETIONS
        after = None if page.after is None else (page.period.since, page.after)
        question = Question(page.period, page.bucket, asked, filters, limit=RESULTS_MAX + 1, after=after)
        stats = await statistics.stats(whose, question, context.call)
        return _body(page, stats.rows, lambda row: show(row, _values(row, named, asked, groups)))

    @router.get("/v1/organization/usage/completions")
    async def completions(
        request: Request, context: Context, params: Annotated[OrganizationParams, Query()]
    ) -> dict[str, Any]:
        """Return tokens and requests of completions by hour or day, as OpenAI's usage API does."""
        return await page_of(request, context, params, USAGE_GROUPS, _usage_result)

    @router.get("/v1/organization/costs")
    async def costs(
        request: Request, context: Context, params: Annotated[OrganizationParams, Query()]
    ) -> dict[str, Any]:
        """Return what was spent by day, as OpenAI's costs API does, in roubles."""
        if params.bucket_width != "1d":
            raise refusal("bucket_width", "must be `1d`")
        return await page_of(request, context, params, COST_GROUPS, _cost_result)

    return router


def _with_brackets(params: OrganizationParams, request: Request) -> OrganizationParams:
    """Return the parameters with those whose names end in `[]`, and refuse what nobody reads."""
    added: dict[str, list[str]] = {}
    for name in request.query_params:
        plain = name.removesuffix("[]")
        if plain not in OrganizationParams.model_fields:
            raise refusal(name[:64], f"is no parameter here; there are {', '.join(OrganizationParams.model_fields)}")
        if plain != name:
            if plain not in _LISTS:
                raise refusal(name, "is no list")
            added[plain] = [*getattr(params, plain), *request.query_params.getlist(name)]
    return params.model_copy(update=added)


def _page(params: OrganizationParams, now: datetime, dimensions: int) -> Page:
    if params.bucket_width not in WIDTHS:
        raise refusal("bucket_width", f"must be {' or '.join(WIDTHS)}")
    width, bucket, usual, most = WIDTHS[params.bucket_width]
    limit = params.limit or usual
    if limit > most:
        raise refusal("limit", f"is at most {most} where `bucket_width` is {params.bucket_width}")
    width_s = int(width.total_seconds())
    end_s = int(now.timestamp()) if params.end_time is None else params.end_time
    begins_s, after = page_token.read(params.page, dimensions) if params.page else (params.start_time, None)
    given_s = max(begins_s, params.start_time)
    first = "page" if params.page else "start_time"
    check_span(moment(given_s), moment(end_s), first, "end_time", ends_now=params.end_time is None)
    begin_s = max(given_s, int(BEGINNING.timestamp()))
    begin_s -= begin_s % width_s
    until_s = min(begin_s + limit * width_s, end_s)
    period = Period(moment(begin_s), moment(until_s), "UTC")
    return Page(period, bucket, width_s, until_s if until_s < end_s else None, after)


def _groups(given: Sequence[str], groups: dict[str, str | None]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the dimensions as they are named there, and as they are here."""
    for name in given:
        if name not in groups:
            raise refusal("group_by", f"takes {', '.join(groups)}")
    named = tuple(dict.fromkeys(given))
    asked = [ours for name in named if (ours := groups[name])]
    if len(asked) > 2:
        raise refusal("group_by", "parts by at most two of what is known here")
    return named, tuple(asked)


def _whose(params: OrganizationParams, caller: Caller) -> Whose:
    """Return everybody for an administrator, who may narrow it; anybody else sees nobody else's."""
    if Scope.ADMIN.value not in caller.scopes:
        if any(user_id != caller.user_id for user_id in params.user_ids):
            raise refusal("user_ids", "other than your own takes the scope `admin`")
        return Whose(caller.user_id)
    return Whose(caller.user_id, params.user_ids[0] if len(params.user_ids) == 1 else "")


def _filters(params: OrganizationParams) -> dict[str, tuple[str, ...]]:
    if params.project_ids:
        raise refusal("project_ids", "cannot be given: there are no projects here")
    given = {"version": params.models, "key": params.api_key_ids, "user": params.user_ids}
    return {name: tuple(values) for name, values in given.items() if values}


def _values(
    row: Row, named: Sequence[str], asked: Sequence[str], groups: dict[str, str | None]
) -> dict[str, str | None]:
    """Return the value of each of their dimensions; null where the answer is not parted by it."""
    found = dict(zip(asked, row.group, strict=True))
    parted = {name: found.get(groups[name] or "") for name in named}
    return {name: parted.get(name) or None for name in groups}


def _body(page: Page, rows: Sequence[Row], show: Callable[[Row], dict[str, Any]]) -> dict[str, Any]:
    begin_s, end_s = int(page.period.since.timestamp()), int(page.period.until.timestamp())
    shown, following = rows[:RESULTS_MAX], None if page.next_s is None else page_token.of(page.next_s)
    if len(rows) > RESULTS_MAX:
        # The bucket that the next result lies in comes again, without those that were shown.
        next_s, last = _starts_s(rows[RESULTS_MAX]), rows[RESULTS_MAX - 1]
        following = page_token.of(next_s, last.group if _starts_s(last) == next_s else None)
        end_s = _starts_s(last) + page.width_s
    results: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in shown:
        results[_starts_s(row)].append(show(row))
    buckets = [
        {
            "object": "bucket",
            "start_time": start_s,
            "end_time": min(start_s + page.width_s, int(page.period.until.timestamp())),
            "results": results[start_s],
        }
        for start_s in range(begin_s, end_s, page.width_s)
    ]
    return {"object": "page", "data": buckets, "has_more": following is not None, "next_page": following}


def _starts_s(row: Row) -> int:
    return int(row.starts_at.timestamp()) if row.starts_at else 0


def _usage_result(row: Row, group: dict[str, str | None]) -> dict[str, Any]:
    return {
        "object": "organization.usage.completions.result",
        "input_tokens": row.figures.tokens_input,
        "output_tokens": row.figures.tokens_output,
        "input_cached_tokens": row.figures.tokens_cached,
        "input_audio_tokens": 0,
        "output_audio_tokens": 0,
        "num_model_requests": row.figures.requests,
        **group,
    }


def _cost_result(row: Row, group: dict[str, str | None]) -> dict[str, Any]:
    cost_micro_rub = row.figures.cost_micro_rub
    # The value is a number there; the whole micro-roubles beside it are exact.
    amount = {"value": cost_micro_rub / 1_000_000, "currency": "rub", "micro_rub": cost_micro_rub}
    return {"object": "organization.costs.result", "amount": amount, **group}
