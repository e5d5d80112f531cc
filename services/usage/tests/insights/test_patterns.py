"""Each pattern fires on what it is made for, and is silent on clean usage and just under its threshold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.usage.catalog_facts.domain.facts import Facts
from services.usage.forecasting.domain.course import Course, Today
from services.usage.forecasting.domain.outlook import MethodName, Outlook
from services.usage.forecasting.domain.radii import HORIZON_MAX, WEEKS_MAX, Radii
from services.usage.insights.domain.anomaly import Cause
from services.usage.insights.domain.finding import Pattern
from services.usage.insights.domain.incident import Grain, Incident
from services.usage.insights.domain.material import (
    FRACTIONS,
    ErrorUse,
    FirstTokens,
    KeyUse,
    LimitUse,
    MinuteUse,
    ModelUse,
    Repeats,
    Retry,
)
from services.usage.insights.domain.patterns import FROM_ROWS, WHEN_ASKED, look_for
from services.usage.tests.catalog_facts.models import CHEAP, DEAR, facts
from services.usage.tests.insights.material import NOW, PRO, ROUBLE, TODAY, day_use, days, hours, material

WIDTHS = Radii((10.0 * ROUBLE,) * HORIZON_MAX, (20.0 * ROUBLE,) * WEEKS_MAX)
FINDS = {**FROM_ROWS, **WHEN_ASKED}


def night(share_of_day: int) -> list[int]:
    """Return hours of which five in the night have so many requests and the others ten each."""
    return [share_of_day if hour < 5 else 10 for hour in range(24)]


def mixed(dear: int, cost: int = 2 * ROUBLE, of: int = 20) -> dict[str, Any]:
    """Return 35 full days of which the last week has so many of the requests a day at another model."""
    last_week = [
        *days(7, before=1, requests=of - dear, cost_micro_rub=cost),
        *(
            days(7, before=1, model="gigachat-pro", provider="gigachat", requests=dear, cost_micro_rub=cost)
            if dear
            else []
        ),
    ]
    return {"days": [*last_week, *days(28, before=8, cost_micro_rub=2 * ROUBLE)]}


def storms(count: int, failed: int = 3, gap_s: float = 1.0) -> dict[str, Any]:
    """Return so many series of five requests, an hour apart."""
    return {
        "retries": [
            Retry(
                "key-1", b"digest", NOW - timedelta(hours=series) + timedelta(seconds=number * gap_s), number < failed
            )
            for series in range(count)
            for number in range(5)
        ]
    }


def short(cost_roubles: int, share: float = 0.5) -> dict[str, Any]:
    """Return a model whose short calls cost that much; at the cheap one the same tokens cost a quarter."""
    tokens = cost_roubles * 1000 * 10 // 8
    use = ModelUse(
        "yandexgpt:latest",
        1000,
        cost_micro_rub=int(cost_roubles * ROUBLE / share),
        short=680,
        short_cost_micro_rub=cost_roubles * ROUBLE,
        short_tokens_input=tokens // 2,
        short_tokens_output=tokens // 2,
    )
    return {"models": [use]}


def first_tokens(slow_ms: int, streams: int = 400, errors: int = 0) -> dict[str, Any]:
    """Return two models of one class, of which one takes that long and fails that often."""
    steady = tuple([1000 + place for place in range(len(FRACTIONS))])
    slower = tuple([slow_ms + place for place in range(len(FRACTIONS))])
    return {
        "first_tokens": [
            FirstTokens("yandexgpt", "yandexgpt:latest", streams, 8, streams, steady),
            FirstTokens("gigachat", "gigachat-pro", streams, 8 + errors, streams, slower),
        ]
    }


def model_use(**counts: int) -> dict[str, Any]:
    return {"models": [ModelUse("yandexgpt:latest", 100, **counts)]}


def limit(spent: int, ends_in_days: int = 8) -> dict[str, Any]:
    """Return a limit of 100 roubles, and a course of 10 a day, of which today has 5."""
    outlook = Outlook(MethodName.HALF, (10.0 * ROUBLE,) * HORIZON_MAX, WIDTHS, 84)
    ends_at = datetime.combine(TODAY + timedelta(days=ends_in_days), datetime.min.time(), UTC)
    return {
        "limits": [LimitUse("month", 100 * ROUBLE, spent * ROUBLE, ends_at)],
        "course": Course(outlook, Today(5 * ROUBLE, 0.5), (1.0,) * HORIZON_MAX),
        "spent_today_micro_rub": 5 * ROUBLE,
    }


def key(used_days_ago: int | None, age_days: int = 100) -> dict[str, Any]:
    last_used_at = None if used_days_ago is None else NOW - timedelta(days=used_days_ago)
    return {"keys": [KeyUse("key-9", "ci-old", NOW - timedelta(days=age_days), last_used_at)]}


def ending(days_ahead: int) -> dict[str, Any]:
    sunset = {"shutdown_at": NOW + timedelta(days=days_ahead), "successor": CHEAP.model}
    return {"facts": Facts([facts(DEAR.model, **sunset)])}


def errors(count: int, requests: int = 500) -> dict[str, Any]:
    """Return errors of one key among 560 requests, of which 28 failed: 5 %."""
    return {
        "errors": [ErrorUse("key-1", "yandexgpt:latest", "rate_limit_exceeded", count, requests)],
        "days": days(28, errors=1),
    }


INCIDENT = Incident(
    id="0",
    user_id="user-1",
    grain=Grain.DAY,
    begins_at=NOW - timedelta(days=1),
    ends_at=NOW,
    expected_micro_rub=10 * ROUBLE,
    actual_micro_rub=90 * ROUBLE,
    cause=Cause("key", "key-1", 5 * ROUBLE, 75 * ROUBLE),
    found_at=NOW,
)
REPEATS = {"requests": 1000, "repeated": 310}

FIRES: list[tuple[Pattern, dict[str, Any], dict[str, Any]]] = [
    (Pattern.PEAK_HOURS, {"hours": hours(weights=night(40))}, {"hours": hours(weights=night(10))}),
    (
        Pattern.WEEKDAY_PROFILE,
        {"hours": hours([10, 15, 10, 10, 10, 10, 10])},
        {"hours": hours([100, 149, 100, 100, 100, 100, 100])},
    ),
    (Pattern.BURSTINESS, {"minutes": MinuteUse(6000, 3000, 30_000, 9)}, {"minutes": MinuteUse(6000, 999, 30_000, 9)}),
    (Pattern.MIX_SHIFT, mixed(8), mixed(8, cost=ROUBLE)),
    (Pattern.MIX_SHIFT, mixed(1), mixed(1, of=25)),
    (
        Pattern.DRIVER_SPLIT,
        {"days": [*days(28, before=1, requests=30, tokens_input=9000, cost_micro_rub=3), *days(28, before=29)]},
        {},
    ),
    (Pattern.IO_RATIO, {"days": days(tokens_output=190)}, {"days": days(tokens_output=200)}),
    (Pattern.IO_RATIO, {"days": days(tokens_output=20_001)}, {"days": days(tokens_output=20_000)}),
    (Pattern.ERROR_HOTSPOT, errors(70), errors(50)),
    (Pattern.ERROR_HOTSPOT, errors(20, 25), errors(19, 19)),
    (
        Pattern.CACHEABLE,
        {"repeats": Repeats(**REPEATS, cost_micro_rub=40 * ROUBLE)},
        {"repeats": Repeats(**REPEATS, cost_micro_rub=33 * ROUBLE)},
    ),
    (Pattern.CHEAPER_MODEL, short(140), short(120)),
    (Pattern.CHEAPER_MODEL, short(140), short(140, share=0.12)),
    (Pattern.DEPRECATED, ending(90), ending(91)),
    (Pattern.OVERSIZE_CTX, model_use(near_window=6), model_use(near_window=5)),
    (Pattern.OVERSIZE_CTX, model_use(long_to_short=6), model_use(long_to_short=5)),
    (Pattern.MAX_TOKENS_WASTE, model_use(cut=4), model_use(cut=3)),
    (Pattern.IDLE_KEY, key(31), key(30)),
    (Pattern.IDLE_KEY, key(None, age_days=8), key(None, age_days=7)),
    (Pattern.RETRY_STORM, storms(21), storms(20)),
    (Pattern.RETRY_STORM, storms(21), storms(21, failed=2)),
    (Pattern.RETRY_STORM, storms(21), storms(21, gap_s=2.0)),
    (Pattern.LIMIT_ETA, limit(25), limit(24)),
    (Pattern.LIMIT_ETA, limit(99), {}),
    (Pattern.PROVIDER_GAP, first_tokens(1300), first_tokens(1190)),
    (Pattern.PROVIDER_GAP, first_tokens(1300), first_tokens(1300, streams=199)),
    (Pattern.PROVIDER_GAP, first_tokens(1000, errors=40), first_tokens(1000, errors=5)),
    (Pattern.ANOMALY, {"incidents": [INCIDENT]}, {}),
]


@pytest.mark.parametrize(("pattern", "made_for", "just_under"), FIRES)
def test_a_pattern_fires_on_what_it_is_made_for_and_not_just_under_it(
    pattern: Pattern, made_for: dict[str, Any], just_under: dict[str, Any]
) -> None:
    """The threshold is where the documentation has it."""
    assert [each.pattern for each in FINDS[pattern](material(**made_for))] == [pattern]
    assert list(FINDS[pattern](material(**just_under))) == []


def test_every_pattern_is_tried_and_registered_once() -> None:
    """None of the seventeen is forgotten."""
    assert set(Pattern) == FINDS.keys() == {pattern for pattern, _, _ in FIRES}
    assert len(FROM_ROWS) + len(WHEN_ASKED) == len(Pattern) == 17


def test_clean_usage_shows_nothing() -> None:
    """An even user is left in peace."""
    assert look_for(FINDS, material()) == ()


def test_nothing_is_found_in_nothing() -> None:
    """A new user has neither rows nor findings, and nothing divides by zero."""
    empty = material(hours=[], days=[], minutes=MinuteUse())

    assert look_for(FINDS, empty) == ()


def test_the_peak_is_told_in_the_users_zone() -> None:
    """Midnight in London is three in the morning in Moscow."""
    (peak,) = FINDS[Pattern.PEAK_HOURS](material(hours=hours(weights=night(40)), zone="Europe/Moscow"))

    assert peak.texts["ru"] == "На 03:00–08:00 (Europe/Moscow) приходится 51\u00a0% запросов."
    assert peak.texts["en"] == "51% of the requests come at 03:00–08:00 (Europe/Moscow)."
    assert peak.query["tz"] == "Europe/Moscow"


def test_rare_requests_by_chance_are_no_bursts() -> None:
    """One in twenty minutes has s = √m: B is above 0.5, and yet nothing comes in bursts."""
    assert list(FINDS[Pattern.BURSTINESS](material(minutes=MinuteUse(40_000, 2000, 2100, 1)))) == []


def test_drivers_of_a_change_add_up_to_it() -> None:
    """Twice the tokens, half of them at a model that costs another price: to the micro-rouble."""
    before = days(28, before=29, cost_micro_rub=2_000_001)
    after = [
        *days(28, before=1, cost_micro_rub=3_000_000),
        *days(28, before=1, model="gigachat-pro", tokens_input=1000, cost_micro_rub=4_444_447),
    ]

    (split,) = FINDS[Pattern.DRIVER_SPLIT](material(days=[*after, *before]))

    parts = split.evidence
    assert parts["change"] == sum(row.cost_micro_rub for row in after) - sum(row.cost_micro_rub for row in before)
    assert sum(int(parts[name]) for name in ("volume", "mix", "price")) == parts["change"]
    assert parts["volume"] == 28 * 2_000_001 // 2
    assert parts["price"] == 28 * (3_000_000 - 2_000_001)


def test_a_saving_is_what_the_dated_price_says() -> None:
    """160 roubles of short calls at 0.8 a thousand cost 40 at 0.2; in 30 of 28 days that is 128.57 less."""
    (found,) = FINDS[Pattern.CHEAPER_MODEL](material(**short(160)))

    assert found.saving is not None
    assert found.saving.max_micro_rub == 120 * ROUBLE * 30 // 28
    assert found.saving.min_micro_rub == found.saving.max_micro_rub // 2
    assert found.evidence["other"] == CHEAP.model


def test_a_limit_tells_the_likely_days() -> None:
    """40 of 100 roubles are spent, 5 of them today, which will cost 10: ten a day reach the rest in six days more."""
    (eta,) = FINDS[Pattern.LIMIT_ETA](material(**limit(40, ends_in_days=7)))

    assert eta.evidence["day"] == "2026-11-29"
    assert str(eta.evidence["early"]) < "2026-11-29"
    assert eta.evidence["late"] == "2026-11-29"  # the last day before the limit begins anew


@pytest.mark.parametrize(
    ("zone", "offset_h"), [("Europe/Moscow", -3), ("UTC", 0), ("America/Bogota", 5), ("UTC", -3), ("UTC", 5)]
)
def test_a_limit_is_told_on_the_last_day_of_its_period_in_every_zone(zone: str, offset_h: int) -> None:
    """A month of Moscow ends at 21:00 UTC: that day is its last one there and in UTC, and counts."""
    given = limit(40, ends_in_days=7)
    (midnight,) = given["limits"]
    given["limits"] = [replace(midnight, ends_at=midnight.ends_at + timedelta(hours=offset_h))]

    (eta,) = FINDS[Pattern.LIMIT_ETA](material(**given, zone=zone))

    assert (eta.evidence["day"], eta.evidence["late"]) == ("2026-11-29", "2026-11-29")


def test_models_of_another_price_class_are_not_compared() -> None:
    """A small model is faster for a reason."""
    other = Facts([DEAR, facts(PRO.model, provider="gigachat", prices=CHEAP.prices)])

    assert list(FINDS[Pattern.PROVIDER_GAP](material(**first_tokens(1300), facts=other))) == []


def test_an_unfinished_first_day_does_not_make_a_weekday_cheap() -> None:
    """Who began on a Monday evening has no cheap Mondays."""
    began = [use for use in hours() if use.hour >= NOW - timedelta(days=15, hours=-11)]

    assert list(FINDS[Pattern.WEEKDAY_PROFILE](material(hours=began))) == []


def test_last_days_end_today() -> None:
    """Seven days are today and the six before."""
    rows = material(days=[day_use(TODAY - timedelta(days=ago)) for ago in (0, 6, 7)]).last_days(7)

    assert [row.day for row in rows] == [TODAY, TODAY - timedelta(days=6)]
