"""What GET /v1/usage/forecast asks of the usage service, and how it shows the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from razvilka.auth.v1 import auth_pb2
from razvilka.usage.v1 import forecasts_pb2 as pb

from services.gateway.analytics.forecasting.routes import HORIZON_MAX
from services.gateway.analytics.forecasting.texts import LIMITS, PRELIMINARY, REFUSALS
from services.gateway.clients.usage_forecasts.client import METHODS
from services.gateway.clients.usage_forecasts.client import REFUSALS as CODES
from services.gateway.tests.backends import Backends, caller
from services.gateway.tests.conftest import Edge

RUB = 1_000_000
BAND = pb.Band(p10_micro_rub=80 * RUB, p50_micro_rub=100 * RUB, p90_micro_rub=120 * RUB + 1)
MONTH = auth_pb2.BUDGET_PERIOD_MONTH


def answer(**changes: Any) -> pb.GetForecastResponse:
    given: dict[str, Any] = {
        "method": pb.METHOD_HALF,
        "history_days": 84,
        "points": [pb.Point(date="2026-11-29", band=BAND)],
        "month_end": pb.MonthEnd(last_day="2026-11-30", spent_micro_rub=2_300_500_000, band=BAND, what_if=BAND),
        "price_changes": [pb.PriceChange(date="2026-12-01", share=0.25)],
        "accuracy": pb.Accuracy(days=20, held_share=0.85, error_share=0.125),
    }
    made = pb.GetForecastResponse(**(given | changes))
    made.as_of.FromDatetime(datetime(2026, 11, 29, 9, tzinfo=UTC))
    return made


def limit(**dates: str) -> pb.LimitDates:
    return pb.LimitDates(limit_micro_rub=10_000 * RUB, spent_micro_rub=9_000 * RUB, **dates)


async def test_a_forecast_has_days_the_months_end_and_its_own_past(edge: Edge, backends: Backends) -> None:
    backends.forecasts.answer = answer()

    got = await edge.client.get("/v1/usage/forecast?tz=Europe/Moscow&horizon=7")

    assert got.status_code == 200, got.text
    body, (asked,) = got.json(), backends.forecasts.asked
    assert (asked.user_id, asked.zone, asked.horizon_days) == ("user-1", "Europe/Moscow", 7)
    assert not asked.HasField("limit")
    assert (body["object"], body["method"], body["time_zone"]) == ("usage.forecast", "half", "Europe/Moscow")
    assert body["as_of"] == "2026-11-29T09:00:00Z"
    (point,) = body["points"]
    assert (point["date"], point["p50_rub"], point["p90_micro_rub"]) == ("2026-11-29", "100.000000", 120 * RUB + 1)
    assert (body["month_end"]["date"], body["month_end"]["spent_rub"]) == ("2026-11-30", "2300.500000")
    assert body["month_end"]["expected"]["p10_rub"] == "80.000000"
    assert body["price_changes"] == [{"date": "2026-12-01", "percent": 25.0}]
    assert body["accuracy"] == {"days": 20, "held_percent": 85.0, "promised_percent": 80.0, "error_percent": 12.5}
    assert (body["refusal"], body["limit_eta"], body["what_if"], body["note"]) == (None, None, None, None)


async def test_the_call_is_made_in_its_callers_name(edge: Edge, backends: Backends) -> None:
    await edge.client.get("/v1/usage/forecast")

    assert backends.forecasts.shown != [b""]


async def test_a_limit_that_is_named_counts_the_calendar_month(edge: Edge, backends: Backends) -> None:
    backends.forecasts.answer = answer(limit=limit(on="2026-12-02", earliest="2026-12-01", latest="2026-12-04"))

    body = (await edge.client.get("/v1/usage/forecast?limit_rub=10000.5&lang=ru")).json()

    (asked,) = backends.forecasts.asked
    assert (asked.limit.limit_micro_rub, asked.limit.HasField("spent_micro_rub")) == (10_000_500_000, False)
    eta = body["limit_eta"]
    assert (eta["source"], eta["period"], eta["budget_id"]) == ("request", "month", None)
    assert (eta["on"], eta["earliest"], eta["latest"]) == ("2026-12-02", "2026-12-01", "2026-12-04")
    assert eta["message"] == "Лимит 10\xa0000\xa0₽ будет исчерпан 02.12.2026 (вероятно, 01.12.2026–04.12.2026)."


@pytest.mark.parametrize("zone", ["UTC", "Europe/Moscow", "Asia/Yekaterinburg", "America/Bogota"])
async def test_without_a_named_limit_the_accounts_tightest_budget_counts(
    edge: Edge, backends: Backends, zone: str
) -> None:
    """Not those of keys or of a day: they cap other spending than what is foretold. Its last day counts in any zone."""
    budgets = [
        auth_pb2.Budget(subject="key:key-1", period=MONTH, limit_micro_rub=2 * RUB),
        auth_pb2.Budget(subject="user:user-1", period=auth_pb2.BUDGET_PERIOD_DAY, limit_micro_rub=2 * RUB),
        auth_pb2.Budget(subject="user:user-1", period=auth_pb2.BUDGET_PERIOD_TOTAL, limit_micro_rub=900 * RUB),
        auth_pb2.Budget(subject="user:user-1", period=MONTH, limit_micro_rub=500 * RUB, id="bud-1", time_zone=zone),
    ]
    backends.auth.callers = dict.fromkeys(backends.auth.callers, caller(budgets=budgets))
    backends.forecasts.answer = answer(limit=limit())

    body = (await edge.client.get("/v1/usage/forecast?tz=UTC")).json()

    (asked,) = backends.forecasts.asked
    assert (asked.limit.limit_micro_rub, asked.limit.spent_micro_rub) == (500 * RUB, backends.usage.spend)
    assert asked.limit.ends_on.endswith("-01")
    assert (body["limit_eta"]["source"], body["limit_eta"]["budget_id"]) == ("budget", "bud-1")


@pytest.mark.parametrize(
    ("dates", "refusal", "language", "message"),
    [
        ({}, 0, "en", "The limit of ₽10,000 is enough."),
        ({"earliest": "2026-12-01"}, 0, "ru", "Лимит 10\xa0000\xa0₽ может быть исчерпан уже 01.12.2026"),
        ({"earliest": "2026-12-01", "on": "2026-12-09"}, 0, "en", "on 9 Dec 2026, not before 1 Dec 2026"),
        ({}, pb.REFUSAL_IRREGULAR, "en", "cannot be told"),
    ],
)
async def test_a_limit_is_told_in_words(
    edge: Edge, backends: Backends, dates: dict[str, str], refusal: Any, language: str, message: str
) -> None:
    backends.forecasts.answer = answer(limit=limit(**dates), refusal=refusal)

    body = (await edge.client.get(f"/v1/usage/forecast?limit_rub=10000&lang={language}")).json()

    assert message in body["limit_eta"]["message"]


@pytest.mark.parametrize(
    ("dates", "language", "message"),
    [
        ({}, "en", "is enough for 35 days at least."),
        ({"earliest": "2026-12-01"}, "ru", "уже 01.12.2026, но, скорее всего, не за 35 дней."),
        ({"earliest": "2026-12-01", "on": "2026-12-09"}, "en", "on 9 Dec 2026, not before 1 Dec 2026"),
    ],
)
async def test_a_budget_that_never_ends_is_enough_for_the_days_that_are_foretold_only(
    edge: Edge, backends: Backends, dates: dict[str, str], language: str, message: str
) -> None:
    """It was said to be enough, and was spent in the sixth week."""
    endless = auth_pb2.Budget(subject="user:user-1", period=auth_pb2.BUDGET_PERIOD_TOTAL, limit_micro_rub=10_000 * RUB)
    backends.auth.callers = dict.fromkeys(backends.auth.callers, caller(budgets=[endless]))
    backends.forecasts.answer = answer(limit=limit(**dates))

    body = (await edge.client.get(f"/v1/usage/forecast?lang={language}")).json()

    assert body["limit_eta"]["period"] == "lifetime"
    assert message in body["limit_eta"]["message"]
    assert HORIZON_MAX == 35


async def test_what_cannot_be_foretold_is_said_in_the_callers_language(edge: Edge, backends: Backends) -> None:
    """A refusal is an answer: what was spent is in it."""
    month = pb.MonthEnd(last_day="2026-11-30", spent_micro_rub=5)
    backends.forecasts.answer = answer(
        refusal=pb.REFUSAL_SHORT_HISTORY, history_days=2, method=0, points=[], month_end=month, preliminary=True
    )

    english = await edge.client.get("/v1/usage/forecast", headers={"accept-language": "en-GB,en;q=0.9"})
    russian = await edge.client.get("/v1/usage/forecast")

    assert english.status_code == 200
    assert english.json()["refusal"] == {
        "code": "short_history",
        "message": "Not enough data: 3 full days since the first spending are needed, there are 2.",
    }
    assert russian.json()["refusal"]["message"].startswith("Недостаточно данных")
    assert (english.json()["month_end"]["expected"], english.json()["month_end"]["spent_micro_rub"]) == (None, 5)
    assert english.json()["note"] is None


async def test_a_short_history_is_called_preliminary(edge: Edge, backends: Backends) -> None:
    backends.forecasts.answer = answer(method=pb.METHOD_MEAN, history_days=5, preliminary=True)

    body = (await edge.client.get("/v1/usage/forecast?lang=en")).json()

    assert (body["method"], body["preliminary"], body["note"]) == ("mean", True, PRELIMINARY["en"])


async def test_what_if_asks_for_short_calls_by_another_model(edge: Edge, backends: Backends) -> None:
    other = pb.WhatIf(model="yandexgpt-lite:latest", requests=20, cost_micro_rub=16 * RUB, would_cost_micro_rub=4 * RUB)
    backends.forecasts.answer = answer(what_if=other)

    body = (await edge.client.get("/v1/usage/forecast?what_if=short_calls:yandexgpt-lite:latest")).json()

    assert backends.forecasts.asked[0].what_if_model == "yandexgpt-lite:latest"
    assert (body["what_if"]["requests"], body["what_if"]["saving_rub"]) == (20, "12.000000")
    assert body["what_if"]["month_end"]["p50_rub"] == "100.000000"


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("tz=Mars/Olympus", "tz"),
        ("horizon=36", "horizon"),
        ("horizon=soon", "horizon"),
        ("limit_rub=0", "limit_rub"),
        ("limit_rub=-5", "limit_rub"),
        ("limit_rub=NaN", "limit_rub"),
        ("limit_rub=1e99", "limit_rub"),
        ("limit_rub=1e999999", "limit_rub"),
        ("limit_rub=0.0000001", "limit_rub"),
        ("what_if=yandexgpt-lite", "what_if"),
        ("what_if=short_calls:", "what_if"),
        ("lang=fr", "lang"),
        ("limit=5", "limit"),
    ],
)
async def test_a_bad_parameter_is_named(edge: Edge, backends: Backends, query: str, param: str) -> None:
    got = await edge.client.get(f"/v1/usage/forecast?{query}")

    assert got.status_code == 400
    assert got.json()["error"]["param"] == param
    assert backends.forecasts.asked == []


async def test_it_takes_the_scope_to_read_usage(edge: Edge, backends: Backends) -> None:
    backends.auth.callers = dict.fromkeys(backends.auth.callers, caller(scopes=["completions:write"]))

    assert (await edge.client.get("/v1/usage/forecast")).status_code == 403


def test_both_languages_say_the_same_things() -> None:
    """Of every refusal there is."""
    assert set(PRELIMINARY) == set(REFUSALS) == set(LIMITS) == {"ru", "en"}
    assert set(REFUSALS["ru"]) == set(REFUSALS["en"]) == set(CODES.values()) - {""}
    assert set(LIMITS["ru"]) == set(LIMITS["en"])
    assert set(METHODS) == set(pb.Method.values())
    assert set(CODES) == set(pb.Refusal.values())
