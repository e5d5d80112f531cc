"""GET /v1/usage/patterns, /anomalies and /recommendations, and what their user says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from servicekit.clock import Clock
from services.gateway.admission.caps import CapMode
from services.gateway.admission.periods import moment, window_of
from services.gateway.analytics.grammar import PeriodParams, period_of, refusal
from services.gateway.analytics.insight_bodies import (
    AnomaliesBody,
    AnomalyBody,
    DecisionOrder,
    FeedbackOrder,
    PatternsBody,
    RecommendationBody,
    RecommendationsBody,
)
from services.gateway.analytics.insight_views import anomaly_body, finding_body, recommendation_body
from services.gateway.analytics.views import rfc3339
from services.gateway.clients.account_views import KeyView
from services.gateway.clients.auth import AuthClient
from services.gateway.clients.caller import Caller
from services.gateway.clients.catalog import CatalogWatch
from services.gateway.clients.usage import UsageClient
from services.gateway.clients.usage_insights.client import STATES, InsightsClient
from services.gateway.clients.usage_insights.values import Finding, Limit
from services.gateway.edge.reading.json_body import json_of
from services.gateway.edge.request_context import Context, RequestContext
from services.gateway.identity.access import Needs, Scope, may_use

NEEDS: Final[Needs] = {
    "/v1/usage/patterns": Scope.USAGE_READ,
    "/v1/usage/anomalies": Scope.USAGE_READ,
    "/v1/usage/anomalies/{anomaly_id}/feedback": Scope.PROFILE_WRITE,
    "GET /v1/usage/recommendations": Scope.USAGE_READ,
    "POST /v1/usage/recommendations/{recommendation_id}": Scope.PROFILE_WRITE,
}
LISTS: Final = {"/v1/usage/recommendations": frozenset({"state"})}
# Keys that are looked at for idle ones; who has more has other worries.
KEYS_MAX: Final = 300
_PAGE: Final = 100
NEW: Final = "new"
_OPEN: Final = (NEW, "accepted")
# The pattern that names a model to be called in place of another.
CHEAPER_MODEL: Final = "cheaper_model"


class ZoneParams(BaseModel):
    """In which zone hours and weekdays are told."""

    tz: str = Field("", description="IANA name of a time zone; without it: the account's.")


class AnomalyParams(BaseModel):
    """When."""

    period: str = Field("", description="As in `GET /v1/usage/summary`; without any: 30 days.")
    since: str = Field("", alias="from")
    until: str = Field("", alias="to")
    tz: str = ""
    limit: int = Field(50, ge=1, le=200)


class AdviceParams(BaseModel):
    """Which."""

    state: list[str] = Field(
        default_factory=list, description="Any of `new`, `accepted`, `dismissed`, `done`; without it the first two."
    )


class AskedFor:
    """What usage does not know and is told with a question: active keys and limits of money."""

    def __init__(self, auth: AuthClient, usage: UsageClient, clock: Clock) -> None:
        self._auth = auth
        self._usage = usage
        self._clock = clock

    async def keys(self, context: RequestContext) -> list[KeyView]:
        """Return the active keys of the account; none to a credential that may not list them."""
        caller, found, page = context.known_caller, list[KeyView](), ""
        if Scope.KEYS_READ.value not in caller.scopes:
            return []
        while len(found) < KEYS_MAX:
            keys, page = await self._auth.list_keys(caller.user_id, context.call, size=_PAGE, page=page)
            found += [key for key in keys if self._is_active(key)]
            if not page:
                break
        return found

    def _is_active(self, key: KeyView) -> bool:
        is_over = key.expires_at is not None and key.expires_at <= self._clock.now()
        return key.revoked_at is None and not key.disabled and not is_over and key.created_at is not None

    async def limits(self, context: RequestContext) -> list[Limit]:
        """Return the budgets of the account that begin anew some day, with what is spent of each.

        One that only watches is for looking at, not for telling: nothing happens when it is reached.
        """
        caller, found = context.known_caller, list[Limit]()
        for budget in caller.budgets:
            zone = budget.time_zone or caller.time_zone
            window = window_of(budget.period, zone, int(self._clock.now().timestamp()))
            if window is None or budget.mode is CapMode.SHADOW or budget.subject != f"user:{caller.user_id}":
                continue
            since, until = moment(window.starts_s), moment(window.ends_s)
            spent = await self._usage.get_spend(caller.user_id, budget.subject, since, until, context.call)
            found.append(Limit(budget.period.label, budget.limit_micro_rub, spent, until))
        return found


def insights_router(insights: InsightsClient, asked_for: AskedFor, catalog: CatalogWatch, clock: Clock) -> APIRouter:
    """Return the routes; each shows a caller what was found in its own account's usage."""
    router = APIRouter(tags=["usage"])

    def can_follow(caller: Caller, finding: Finding) -> bool:
        """Tell whether who asks may call the model that is advised: usage does not know what a credential lists."""
        other = finding.evidence.get("other") if finding.pattern == CHEAPER_MODEL else None
        if other is None or not caller.models or not catalog.is_ready:
            return True
        model = catalog.current().find(str(other))
        return model is not None and may_use(caller, model)

    @router.get("/v1/usage/patterns", response_model=PatternsBody)
    async def list_patterns(context: Context, params: Annotated[ZoneParams, Query()]) -> dict[str, Any]:
        """Return what shows in the usage of four weeks, each with its figures and what to do."""
        caller = context.known_caller
        zone = period_of(PeriodParams(tz=params.tz), caller, clock.now()).zone
        keys, limits = await asked_for.keys(context), await asked_for.limits(context)
        analysed_at, findings = await insights.patterns(caller.user_id, zone, keys, limits, context.call)
        return {
            "analysed_at": rfc3339(analysed_at),
            "time_zone": zone,
            "data": [finding_body(finding) for finding in findings if can_follow(caller, finding)],
        }

    @router.get("/v1/usage/anomalies", response_model=AnomaliesBody)
    async def list_anomalies(context: Context, params: Annotated[AnomalyParams, Query()]) -> dict[str, Any]:
        """List days and hours that cost more than they should, the newest first."""
        caller = context.known_caller
        named = PeriodParams(period=params.period, since=params.since, until=params.until, tz=params.tz)
        period = period_of(named, caller, clock.now())
        found = await insights.incidents(caller.user_id, period.since, period.until, params.limit, context.call)
        return {"data": [anomaly_body(incident) for incident in found]}

    @router.post("/v1/usage/anomalies/{anomaly_id}/feedback", response_model=AnomalyBody)
    async def give_feedback(
        context: Context, anomaly_id: str, order: Annotated[FeedbackOrder, Depends(json_of(FeedbackOrder))]
    ) -> dict[str, Any]:
        """Say whether it was expected; then the like takes more to be one."""
        caller = context.known_caller
        return anomaly_body(await insights.give_feedback(caller.user_id, anomaly_id, order.feedback, context.call))

    @router.get("/v1/usage/recommendations", response_model=RecommendationsBody)
    async def list_recommendations(context: Context, params: Annotated[AdviceParams, Query()]) -> dict[str, Any]:
        """List advice; of what is new, the five pieces that are worth most."""
        states, keys = _states(params.state), await asked_for.keys(context)
        caller = context.known_caller
        found = await insights.recommendations(caller.user_id, states, keys, context.call)
        # What somebody has decided on is told to all, whoever may do it.
        return {
            "data": [
                recommendation_body(advice)
                for advice in found
                if advice.state != NEW or can_follow(caller, advice.finding)
            ]
        }

    @router.post("/v1/usage/recommendations/{recommendation_id}", response_model=RecommendationBody)
    async def decide(
        context: Context, recommendation_id: str, order: Annotated[DecisionOrder, Depends(json_of(DecisionOrder))]
    ) -> dict[str, Any]:
        """Accept advice, dismiss it with a reason, or say that it is done."""
        user_id = context.known_caller.user_id
        return recommendation_body(
            await insights.decide(user_id, recommendation_id, order.state, order.reason, context.call)
        )

    return router


def _states(given: Sequence[str]) -> Sequence[str]:
    if any(state not in STATES for state in given):
        raise refusal("state", f"takes {', '.join(STATES)}")
    return given or _OPEN
