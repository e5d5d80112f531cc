"""Advice: ranked, decided on, not brought up again, and measured."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest

from servicekit.errors import Conflict, InvalidRequest, NotFound
from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from services.usage.ingest import Ingest
from services.usage.insights.assembly import Insights
from services.usage.insights.domain.advice import (
    ADVISED,
    MAY_BECOME,
    SHOWN,
    Recommendation,
    Scope,
    Spent,
    State,
    best,
    realised,
    scope_of,
)
from services.usage.insights.domain.finding import Found, Pattern, Saving
from services.usage.store.connection import NAME_USER
from services.usage.tests.catalog_facts.models import CHEAP, DEAR
from services.usage.tests.insights.story import ASKED, ROUBLE, Writer, eventful, wasteful, write

USER = "user-1"
STRANGE_ADVICE = """
INSERT INTO usage.recommendations
    (id, user_id, kind, subject, texts, evidence, query, saving_min_micro_rub, saving_max_micro_rub, confidence,
     first_seen, last_seen, state, decided_at)
VALUES (gen_random_uuid(), $1, 'use_less', '', '{}', '{}', '{}', 1, 1, 1, $2, $2, 'accepted', $2)
RETURNING id
"""
OPEN = (State.NEW, State.ACCEPTED)


async def advice_of(insights: Insights) -> dict[Pattern, Recommendation]:
    return {each.found.pattern: each for each in await insights.recommending.list_of(USER, OPEN)}


@pytest.fixture
async def analysed(ingest: Ingest, insights: Insights) -> Insights:
    """Return insights that have looked at a wasteful user."""
    await write(ingest, USER, wasteful)
    await insights.analysis.patterns(USER, ASKED)
    return insights


async def test_the_five_pieces_worth_most_are_shown_the_best_first(
    ingest: Ingest, insights: Insights, clock: FakeClock
) -> None:
    """By saving times confidence; what is found again tomorrow is the same advice."""
    await write(ingest, USER, eventful)
    await insights.analysis.patterns(USER, ASKED)
    shown = await insights.recommending.list_of(USER, OPEN)
    clock.advance(86_400)
    await insights.jobs.look()

    assert len(shown) == SHOWN
    assert [each.weight for each in shown] == sorted((each.weight for each in shown), reverse=True)
    assert shown[0].found.pattern is Pattern.CACHEABLE
    assert {each.id for each in await insights.recommending.list_of(USER, OPEN)} == {each.id for each in shown}
    assert await insights.recommending.list_of("eve", OPEN) == []


async def test_advice_that_only_a_newer_release_knows_keeps_no_other_from_being_shown(
    ingest: Ingest, insights: Insights, pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock
) -> None:
    """Beside one that is being rolled out, or after the way back; what was accepted of it is not measured here."""
    await write(ingest, USER, eventful)
    await insights.analysis.patterns(USER, ASKED)
    before = await insights.recommending.list_of(USER, OPEN)
    async with pool.acquire() as connection:
        await connection.execute(NAME_USER, USER)
        strange = await connection.fetchval(STRANGE_ADVICE, USER, clock.now())

    shown = await insights.recommending.list_of(USER, OPEN)
    with pytest.raises(NotFound):
        await insights.recommending.decide(USER, str(strange), State.DONE, "")
    clock.advance(15 * 86_400)
    await insights.analysis.patterns(USER, ASKED)

    assert [each.id for each in shown] == [each.id for each in before]


async def test_what_is_dismissed_with_a_reason_is_not_brought_up_again(analysed: Insights, clock: FakeClock) -> None:
    """Also when it is found again."""
    advice = (await advice_of(analysed))[Pattern.CHEAPER_MODEL]
    with pytest.raises(InvalidRequest) as caught:
        await analysed.recommending.decide(USER, advice.id, State.DISMISSED, " ")

    dismissed = await analysed.recommending.decide(USER, advice.id, State.DISMISSED, "Качество важнее.")
    clock.advance(86_400)
    await analysed.jobs.look()

    assert caught.value.param == "reason"
    assert (dismissed.state, dismissed.reason) == (State.DISMISSED, "Качество важнее.")
    assert Pattern.CHEAPER_MODEL not in await advice_of(analysed)
    (kept,) = await analysed.recommending.list_of(USER, [State.DISMISSED])
    assert kept.reason == "Качество важнее."


async def test_new_advice_that_is_not_found_any_more_goes_away(analysed: Insights, clock: FakeClock) -> None:
    """Nobody analyses who has left; after two days what they were told is not said of now."""
    clock.advance(3 * 86_400)

    assert await analysed.recommending.list_of(USER, OPEN) == []


async def test_the_saving_is_measured_two_weeks_after_it_was_accepted(
    analysed: Insights, ingest: Ingest, clock: FakeClock
) -> None:
    """The calls went over to the cheap model: what they cost less each, times their number, a month."""
    advice = (await advice_of(analysed))[Pattern.CHEAPER_MODEL]
    await analysed.recommending.decide(USER, advice.id, State.ACCEPTED, "")
    writer = Writer(USER, iter(range(20_000, 30_000)))
    after = [MIDDAY + timedelta(days=day) for day in range(14) for _ in range(10)]
    clock.advance(13 * 86_400)
    await ingest.record([writer.row(at, model=CHEAP.model, cost_micro_rub=ROUBLE // 10) for at in after])
    await analysed.jobs.look()
    early = (await advice_of(analysed))[Pattern.CHEAPER_MODEL]

    clock.advance(86_400)
    await analysed.jobs.look()

    assert (early.state, early.realised_micro_rub) == (State.ACCEPTED, None)
    (done,) = await analysed.recommending.list_of(USER, [State.DONE])
    assert done.found.pattern is Pattern.CHEAPER_MODEL
    assert done.realised_micro_rub is not None
    assert done.realised_micro_rub == 140 * (800_000 - ROUBLE // 10) * 30 // 14


async def test_somebody_elses_advice_is_not_found(analysed: Insights) -> None:
    """Nor none, nor what is no id; no state, and too long a reason, are refused."""
    advice = next(iter((await advice_of(analysed)).values()))

    for user_id, name in (("eve", advice.id), (USER, advice.id[:-1] + "0"), (USER, "x")):
        with pytest.raises(NotFound):
            await analysed.recommending.decide(user_id, name, State.ACCEPTED, "")
    with pytest.raises(InvalidRequest):
        await analysed.recommending.decide(USER, advice.id, None, "")
    with pytest.raises(InvalidRequest):
        await analysed.recommending.decide(USER, advice.id, State.DISMISSED, "x" * 501)


async def test_said_again_nothing_changes_and_done_is_done(analysed: Insights, clock: FakeClock) -> None:
    """A retry is no conflict; going back is one."""
    advice = (await advice_of(analysed))[Pattern.DEPRECATED]
    first = await analysed.recommending.decide(USER, advice.id, State.DONE, "")
    clock.advance(60)

    again = await analysed.recommending.decide(USER, advice.id, State.DONE, "")

    assert again.decided_at == first.decided_at
    with pytest.raises(Conflict):
        await analysed.recommending.decide(USER, advice.id, State.ACCEPTED, "")


def found(pattern: Pattern, saving: Saving, **evidence: str) -> Found:
    return Found(pattern, DEAR.model, {"ru": "", "en": ""}, evidence, {}, saving)


def test_advice_is_ranked_by_saving_times_confidence() -> None:
    """What is sure but saves nothing comes after what may save; of those, what is surest."""
    savings = [Saving(0, 0, 0.9), Saving(0, 100, 0.3), Saving(0, 50, 0.8), Saving(0, 0, 1.0)]
    advice = [
        Recommendation(str(number), found(Pattern.CACHEABLE, saving), MIDDAY, MIDDAY)
        for number, saving in enumerate(savings)
    ]

    assert [each.id for each in best(advice)] == ["2", "1", "3", "0"]
    assert len(best(advice * 2)) == SHOWN


def test_a_saving_is_measured_by_both_models_where_one_replaces_the_other() -> None:
    """Otherwise calls that went over would look as if they were gone."""
    saving = Saving(0, 0, 1.0)

    assert scope_of(found(Pattern.CHEAPER_MODEL, saving, other=CHEAP.model)) == Scope((DEAR.model, CHEAP.model))
    assert scope_of(found(Pattern.DEPRECATED, saving, successor="")) == Scope((DEAR.model,))
    assert scope_of(found(Pattern.CACHEABLE, saving)) == Scope()


@pytest.mark.parametrize(
    ("before", "after", "saved"),
    [
        (Spent(10, 1000), Spent(14, 700), 1500),
        (Spent(10, 1000), Spent(14, 2100), -1500),
        (Spent(0, 0), Spent(5, 100), 0),
        (Spent(5, 100), Spent(0, 0), 0),
    ],
    ids=["cheaper", "dearer", "nothing before", "nothing after"],
)
def test_a_realised_saving_is_what_the_same_requests_would_have_cost(before: Spent, after: Spent, saved: int) -> None:
    """14 requests at 100 each, less 700, in 30 of 14 days."""
    assert realised(before, after) == saved


def test_every_state_has_ways_and_every_advice_a_saving() -> None:
    """A new state or kind must not be forgotten."""
    assert MAY_BECOME.keys() == set(State)
    assert {Pattern.CHEAPER_MODEL, Pattern.CACHEABLE} < ADVISED < set(Pattern)
