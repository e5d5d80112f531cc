"""Many groups become a few."""

from __future__ import annotations

from datetime import UTC, datetime

from services.usage.statistics.domain.figures import Figures, Quantiles, Row
from services.usage.statistics.domain.folding import fold

EARLY, LATE = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)


def row(starts_at: datetime | None, name: str, cost: int) -> Row:
    return Row(starts_at, (name,), Figures(requests=1, cost_micro_rub=cost, latency=Quantiles(p50=9.0)))


def test_the_groups_that_cost_most_stay_and_the_others_become_one_in_each_bucket() -> None:
    """Largest over the whole period, not in each bucket; the sums of others add up and have no quantiles."""
    rows = [row(EARLY, "a", 1), row(EARLY, "b", 5), row(EARLY, "c", 4), row(LATE, "a", 100), row(LATE, "c", 2)]

    folded = fold(rows, 1)

    assert [(each.starts_at, each.group, each.is_other) for each in folded] == [
        (EARLY, ("a",), False),
        (EARLY, ("",), True),
        (LATE, ("a",), False),
        (LATE, ("",), True),
    ]
    assert folded[1].figures == Figures(requests=2, cost_micro_rub=9)
    assert sum(each.figures.cost_micro_rub for each in folded) == 112


def test_few_groups_stay_as_they_are() -> None:
    """There is no row of nothing."""
    rows = [row(None, "a", 1), row(None, "b", 1)]

    assert fold(rows, 2) == rows
