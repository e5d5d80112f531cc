"""Who calls models that end, from stored requests."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from servicekit.errors import InvalidRequest
from servicekit.testing.fake_clock import MIDDAY
from services.usage.domain.model_caller import ModelCaller
from services.usage.ingest import Ingest
from services.usage.spending import Spending
from services.usage.store import UsageStore
from services.usage.tests.records import record

TODAY = MIDDAY.date()


async def test_callers_are_counted_by_model_user_and_key(store: UsageStore, ingest: Ingest) -> None:
    """Most requests first; other models and earlier days are left out."""
    made = [
        (0, "old", "anna", "k1"), (1, "old", "anna", "k1"), (0, "old", "boris", "k2"), (2, "older", "boris", "k2"),
        (0, "new", "anna", "k1"), (40, "old", "vera", "k3"),
    ]  # fmt: skip
    rows = [
        replace(record(number, MIDDAY - timedelta(days=days)), model=model, user_id=user, key_id=key, grant_id="")
        for number, (days, model, user, key) in enumerate(made)
    ]
    await ingest.record(rows)
    spending = Spending(store)

    found = await spending.callers_of(["old", "older"], TODAY - timedelta(days=30), 10)

    assert found == [
        ModelCaller("old", "anna", "k1", "", 2, TODAY),
        ModelCaller("old", "boris", "k2", "", 1, TODAY),
        ModelCaller("older", "boris", "k2", "", 1, TODAY - timedelta(days=2)),
    ]
    assert await spending.callers_of(["old", "older"], TODAY, 1) == [ModelCaller("old", "anna", "k1", "", 1, TODAY)]
    assert await spending.callers_of([], TODAY, 1) == []


@pytest.mark.parametrize(("models", "limit"), [(["old"], 0), (["old"], 1001), (["old"] * 501, 1), (["a\0b"], 1)])
async def test_what_is_too_much_is_refused(store: UsageStore, models: list[str], limit: int) -> None:
    """Before the database is asked."""
    with pytest.raises(InvalidRequest):
        await Spending(store).callers_of(models, TODAY, limit)
