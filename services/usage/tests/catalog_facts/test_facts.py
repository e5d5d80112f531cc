"""What follows from facts about models."""

from datetime import UTC, datetime, timedelta

import pytest

from servicekit.errors import InvalidRequest
from services.usage.catalog_facts.domain.facts import DatedPrice, Facts, check
from services.usage.tests.catalog_facts.models import CHEAP, DEAR, JULY, LAST_YEAR, facts

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "version"),
    [(LAST_YEAR - timedelta(seconds=1), None), (JULY - timedelta(seconds=1), "2025-01-01"), (JULY, "2026-07-01")],
    ids=["before any", "before the change", "from the change on"],
)
def test_a_price_holds_from_its_date_on(moment, version):
    """And none before the first."""
    price = DEAR.price_at(moment)

    assert (price and price.version) == version


def test_costs_are_rounded_up_and_cached_input_has_its_own_price():
    """As the edge bills: 900 at 0.8, 100 at 0.2, 50 at 0.8 roubles a thousand; a part of a micro-rouble is a whole."""
    assert DEAR.prices[1].cost_micro_rub(1000, 50, 100) == 720_000 + 20_000 + 40_000
    assert DatedPrice("v", 1, 1, None, JULY).cost_micro_rub(1, 0) == 1
    assert DEAR.prices[0].cost_micro_rub(10, 0, 10) == DEAR.prices[0].cost_micro_rub(10, 0)


def test_cheaper_models_are_of_the_same_provider_offered_and_here_to_stay():
    """Advice must be followable."""
    cheap = {"prices": CHEAP.prices}
    known = Facts(
        [
            DEAR,
            CHEAP,
            facts("other", provider="gigachat", **cheap),
            facts("gone", is_offered=False, **cheap),
            facts("leaving", shutdown_at=NOW + timedelta(days=9), **cheap),
            facts("vectors", kind="embedding", **cheap),
            facts("tried:rc", version="rc", **cheap),
            facts("dearer-output", prices=(DatedPrice("v", 1, 900_000, None, JULY),)),
            facts("cheapest", version="", prices=(DatedPrice("v", 1, 1, None, JULY),)),
        ]
    )

    assert [each.model for each in known.cheaper_than(DEAR, NOW)] == ["cheapest", "yandexgpt-lite:latest"]
    assert known.cheaper_than(facts("unpriced", prices=()), NOW) == ()


@pytest.mark.parametrize(
    "models",
    [
        [facts("")],
        [DEAR, DEAR],
        [facts("m", context_length=-1)],
        [facts("m", provider="x\0y")],
        [facts("m", version="x" * 257)],
        [facts("m", prices=(DatedPrice("v", 10**12 + 1, 1, None, JULY),))],
    ],
    ids=["nameless", "twice", "negative", "nul", "long", "huge"],
)
def test_facts_that_cannot_be_kept_are_refused(models):
    """The gateway is told which."""
    with pytest.raises(InvalidRequest) as caught:
        check(models)

    assert caught.value.param == "models"
