"""GET /v1/usage/forecast: what the account will have spent, and when a limit is reached."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from servicekit.clock import Clock
from services.gateway.analytics.forecasting.bodies import ForecastBody
from services.gateway.analytics.forecasting.limits import budget_limit, limit_of
from services.gateway.analytics.forecasting.views import forecast_body
from services.gateway.analytics.grammar import refusal, zone_of
from services.gateway.clients.usage import UsageClient
from services.gateway.clients.usage_forecasts.client import ForecastClient
from services.gateway.clients.usage_forecasts.values import ForecastQuestion
from services.gateway.edge.origin import header
from services.gateway.edge.request_context import Context, RequestContext
from services.gateway.identity.access import Needs, Scope
from services.gateway.pages.language import LANGUAGES, choose

NEEDS: Final[Needs] = {"/v1/usage/forecast": Scope.USAGE_READ}
HORIZON_MAX: Final = 35
SHORT_CALLS: Final = "short_calls:"


class ForecastParams(BaseModel):
    """Which days, until which limit, and what if."""

    tz: str = Field("", description="IANA name of a time zone; without it: the account's.")
    horizon: int = Field(28, ge=1, le=HORIZON_MAX, description="Days from today on.")
    limit_rub: str = Field("", max_length=32, description="A limit of the month; without it: the account's budget.")
    what_if: str = Field(
        "", max_length=300, description="`short_calls:<model>`: as if this model answered all short calls."
    )
    lang: str = Field("", description="`ru` or `en`; without it: by `Accept-Language`.")


def forecast_router(forecasts: ForecastClient, usage: UsageClient, clock: Clock) -> APIRouter:
    """Return the route; it foretells what its caller's account spends."""
    router = APIRouter(tags=["usage"])

    @router.get("/v1/usage/forecast", response_model=ForecastBody)
    async def get_forecast(
        context: Context,
        params: Annotated[ForecastParams, Query()],
    ) -> dict[str, Any]:
        """Foretell the spending of the coming days with 80 % bands, the month's end, and when a limit is reached.

        A history that allows no forecast is no error: `refusal` says why.
        """
        caller, model, language = context.known_caller, _other_model(params.what_if), _language(params.lang, context)
        zone = zone_of(params.tz, caller)
        asked = (
            limit_of(params.limit_rub)
            if params.limit_rub
            else await budget_limit(usage, caller, zone, clock.now(), context.call)
        )
        question = ForecastQuestion(zone, params.horizon, None if asked is None else asked.limit, model)
        found = await forecasts.forecast(caller.user_id, question, context.call)
        return forecast_body(found, zone, asked, language)

    return router


def _other_model(text: str) -> str:
    model = text.removeprefix(SHORT_CALLS)
    if text and (model == text or not model):
        raise refusal(
            "what_if", "must be `short_calls:` with the name of a model, for example `short_calls:yandexgpt-lite`"
        )
    return model


def _language(wish: str, context: RequestContext) -> str:
    if wish and wish not in LANGUAGES:
        raise refusal("lang", f"must be one of {', '.join(LANGUAGES)}")
    return choose(wish, header(context.scope, b"accept-language"))
