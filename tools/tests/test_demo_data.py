"""The story of the demo account: the same for the same person, fit to be stored, and with something to see in it."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta

from servicekit.testing import FakeClock
from services.usage.forecasting.domain.outlook import outlook
from services.usage.ingest import Ingest
from services.usage.rpc import record_from_proto
from services.usage.settings import IngestSettings
from services.usage.store import UsageStore
from tools.demo_data.rows import Rows
from tools.demo_data.story import (
    ANOMALY_DAYS_AGO,
    DAYS,
    OLD_CI,
    OLD_CI_UNTIL_DAYS_AGO,
    SHIFT_DAYS_AGO,
    SHOP,
    SUPPORT,
    calls,
)
from tools.testing.plugin import MakeDatabase

TODAY = date(2026, 11, 23)
KEYS = {SHOP: "key-1", SUPPORT: "key-2", OLD_CI: "key-3"}


async def test_every_request_of_the_story_is_stored_once(make_database: MakeDatabase, clock: FakeClock) -> None:
    """Written again by an interrupted run it is the same requests."""
    ingest = Ingest(UsageStore(await make_database("usage")), IngestSettings(), clock=clock, rng=random.Random(1))
    story = [call for call in calls(TODAY, "user-1") if call.at.date() >= TODAY - timedelta(days=8)]

    outcomes = [
        await ingest.record([record_from_proto(Rows("user-1", KEYS, "seed").row(call)) for call in story[:1]])
        for _ in range(2)
    ]
    rows = Rows("user-1", KEYS, "seed")
    whole = await ingest.record([record_from_proto(rows.row(call)) for call in story])

    assert [(each.inserted, each.duplicates) for each in outcomes] == [(1, 0), (0, 1)]
    assert (whole.inserted, whole.rejected) == (len(story) - 1, ())


def test_the_story_has_a_rhythm_a_shift_an_anomaly_and_a_key_that_fell_idle() -> None:
    story = list(calls(TODAY, "user-1"))
    days = Counter((TODAY - call.at.date()).days for call in story)
    idle = [(TODAY - call.at.date()).days for call in story if call.work.key == OLD_CI]

    assert story == list(calls(TODAY, "user-1"))
    assert set(days) == set(range(1, DAYS + 1))
    assert 5_000 < len(story) < 30_000
    assert min(idle) == OLD_CI_UNTIL_DAYS_AGO
    assert days[ANOMALY_DAYS_AGO] > 1.3 * days[ANOMALY_DAYS_AGO + 7]
    assert sum(days[ago] for ago in range(1, 29)) > 1.1 * sum(days[ago] for ago in range(62, 90))
    weekend = {ago for ago in days if (TODAY - timedelta(days=ago)).weekday() >= 5} - {ANOMALY_DAYS_AGO}
    assert max(days[ago] for ago in weekend) < min(days[ago] for ago in set(range(1, SHIFT_DAYS_AGO)) - weekend)
    assert any(call.has_failed for call in story)


def test_the_story_can_be_foretold() -> None:
    """What a newcomer sees first is a forecast, not a refusal."""
    rows = Rows("user-1", KEYS, "seed")
    costs = Counter[date]()
    for call in calls(TODAY, "user-1"):
        costs[call.at.date()] += rows.row(call).cost_micro_rub

    found = outlook([float(costs[TODAY - timedelta(days=ago)]) for ago in range(DAYS, 0, -1)])

    assert found.refusal is None
