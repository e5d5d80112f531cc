"""Advice saves what it says, by a model that can do what is asked of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from servicekit.testing.fake_clock import MIDDAY
from services.usage.ingest import Ingest
from services.usage.insights.assembly import Insights
from services.usage.insights.domain.finding import Pattern
from services.usage.tests.insights.story import ASKED, ROUBLE, Writer, write

USER = "user-1"


@pytest.mark.parametrize(("traits", "advised"), [(0, True), (2, True), (1, False), (4, False), (8, False)])
async def test_calls_that_need_more_than_words_are_not_moved_to_a_cheaper_model(
    ingest: Ingest, insights: Insights, traits: int, advised: bool
) -> None:
    """Tools, pictures and forms of the answer: not every model of a provider has them."""

    def calls(writer: Writer):
        for ago in range(28, 0, -1):
            yield writer.row(MIDDAY - timedelta(days=ago), cost_micro_rub=10 * ROUBLE, traits=traits)

    await write(ingest, USER, calls)

    shown = {each.pattern for each in (await insights.analysis.patterns(USER, ASKED)).findings}

    assert (Pattern.CHEAPER_MODEL in shown) == advised
