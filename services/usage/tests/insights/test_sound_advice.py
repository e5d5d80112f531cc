"""Advice saves what it says, by a model that can do what is asked of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from services.usage.catalog_facts.domain.facts import DatedPrice, Facts
from services.usage.ingest import Ingest
from services.usage.insights.assembly import Insights
from services.usage.insights.domain.advice import State
from services.usage.insights.domain.finding import Pattern
from services.usage.insights.domain.material import Repeats
from services.usage.tests.catalog_facts.models import CHEAP, DEAR
from services.usage.tests.insights.material import NOW, ROUBLE, days, material
from services.usage.tests.insights.story import ASKED, Writer, write
from services.usage.tests.insights.test_patterns import FINDS, ending, short

USER = "user-1"


@pytest.mark.parametrize(("traits", "advised"), [(0, True), (2, True), (1, False), (4, False), (8, False)])
async def test_calls_that_need_more_than_words_are_not_moved_to_a_cheaper_model(
    ingest: Ingest, insights: Insights, traits: int, advised: bool
) -> None:
    """Tools, pictures and forms of the answer: not every model of a provider has them."""

    def calls(writer: Writer):
        for ago in range(28, 0, -1):
            yield from (writer.row(MIDDAY - timedelta(days=ago), traits=traits) for _ in range(20))

    await write(ingest, USER, calls)

    shown = {each.pattern for each in (await insights.analysis.patterns(USER, ASKED)).findings}

    assert (Pattern.CHEAPER_MODEL in shown) == advised


@pytest.mark.parametrize(("price", "saved"), [(800_000, 120), (400_000, 40), (1_600_000, 140), (200_000, 0)])
def test_a_saving_is_one_of_todays_prices(price: int, saved: int) -> None:
    """What was paid before a model became cheaper is not to be saved any more, nor what a dearer one never took."""
    today = DatedPrice("today", price, price, None, NOW - timedelta(days=1))
    changed = Facts([replace(DEAR, prices=(*DEAR.prices, today)), CHEAP])

    savings = [each.saving for each in FINDS[Pattern.CHEAPER_MODEL](material(**short(800, share=1.0), facts=changed))]

    assert [each.max_micro_rub for each in savings if each] == ([saved * 5 * ROUBLE * 30 // 28] if saved else [])


@pytest.mark.parametrize(
    ("pattern", "made"),
    [
        (Pattern.CHEAPER_MODEL, short(160)),
        (Pattern.CACHEABLE, {"repeats": Repeats(1000, 310, 120 * ROUBLE)}),
    ],
)
def test_what_may_be_saved_is_not_promised(pattern: Pattern, made: dict[str, Any]) -> None:
    """It is half of it to all; the text told all."""
    (found,) = FINDS[pattern](material(**made))

    assert found.saving is not None
    assert found.saving.min_micro_rub < found.saving.max_micro_rub
    assert (" до " in found.texts["ru"], " up to " in found.texts["en"]) == (True, True)


@pytest.mark.parametrize(("began", "counted"), [(40, 28), (28, 28), (10, 10), (7, 7), (2, 7)])
def test_a_month_is_thirty_of_the_days_that_there_were_since_somebody_began(began: int, counted: int) -> None:
    """Of ten days 120 roubles are 360 a month; they were taken for those of 28 days. Two days are no measure."""
    made = material(days=days(began + 1), **short(160))

    (found,) = FINDS[Pattern.CHEAPER_MODEL](made)

    assert found.saving is not None
    assert found.saving.max_micro_rub == 120 * ROUBLE * 30 // counted


def test_half_of_what_batches_cost_half_of_is_saved() -> None:
    """Their lines cost less than the list says, at the other model as well."""
    (use,) = short(800, share=1.0)["models"]
    half = replace(use, cost_micro_rub=400 * ROUBLE, short_cost_micro_rub=400 * ROUBLE)

    (found,) = FINDS[Pattern.CHEAPER_MODEL](material(models=[half]))

    assert found.evidence["saving"] == -(300 * ROUBLE * 30 // 28)


@pytest.mark.parametrize(("ago", "advised"), [(13, True), (14, False)])
@pytest.mark.parametrize("pattern", [Pattern.CHEAPER_MODEL, Pattern.OVERSIZE_CTX, Pattern.MAX_TOKENS_WASTE])
def test_of_a_model_that_was_left_nothing_is_to_be_saved(pattern: Pattern, ago: int, advised: bool) -> None:
    """For four weeks after it had been switched off it was advised to ask it less, with roubles a month."""
    (use,) = short(160)["models"]
    wasteful = replace(use, near_window=900, cut=900, cut_cost_micro_rub=ROUBLE)

    found = list(FINDS[pattern](material(models=[wasteful], days=days(28, before=ago))))

    assert bool(found) == advised


@pytest.mark.parametrize(("days_ahead", "advised"), [(1, True), (0, False), (-5, False)])
def test_a_model_that_has_ended_does_not_end(days_ahead: int, advised: bool) -> None:
    """It was told that it will end on a day that was over."""
    assert bool(list(FINDS[Pattern.DEPRECATED](material(**ending(days_ahead))))) == advised


@pytest.mark.parametrize(("stand_ins", "shown"), [(True, False), (False, True)])
async def test_who_stands_in_is_not_slow_for_the_one_that_failed(
    ingest: Ingest, insights: Insights, stand_ins: bool, shown: bool
) -> None:
    """Every tenth answer waited half a minute for the other model, in whose favour that was told."""

    def calls(writer: Writer):
        for number in range(300):
            at = MIDDAY - timedelta(hours=number + 1)
            yield writer.row(at)
            late = {"first_token_ms": 30_000, "fallbacks": int(stand_ins)} if number % 10 == 0 else {}
            yield writer.row(at, model="gigachat-pro", provider="gigachat", **late)

    await write(ingest, USER, calls)

    found = (await insights.analysis.patterns(USER, ASKED)).findings

    assert (Pattern.PROVIDER_GAP in {each.pattern for each in found}) == shown


async def test_the_end_of_a_key_that_nobody_used_saves_nothing(
    ingest: Ingest, insights: Insights, clock: FakeClock
) -> None:
    """It was said to have cost whatever the whole account's requests had become dearer by."""
    writer = Writer(USER, count())
    await ingest.record([writer.row(MIDDAY - timedelta(days=1), cost_micro_rub=ROUBLE)])
    await insights.analysis.patterns(USER, ASKED)
    (advice,) = [
        each
        for each in await insights.recommending.list_of(USER, [State.NEW])
        if each.found.pattern is Pattern.IDLE_KEY
    ]
    await insights.recommending.decide(USER, advice.id, State.ACCEPTED, "")
    await ingest.record([writer.row(MIDDAY + timedelta(hours=1), cost_micro_rub=9 * ROUBLE) for _ in range(30)])
    clock.advance(14 * 86_400)

    await insights.analysis.patterns(USER, ASKED)

    (done,) = await insights.recommending.list_of(USER, [State.DONE])
    assert (done.id, done.realised_micro_rub) == (advice.id, 0)
