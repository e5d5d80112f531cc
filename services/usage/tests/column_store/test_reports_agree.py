"""A report is the same file whichever store it is made from."""

from __future__ import annotations

import pytest

from services.usage.column_store.choosing import ChosenSnapshots
from services.usage.column_store.column_reader import ColumnReader
from services.usage.reports.domain.order import Format, Kind, Order, Wishes
from services.usage.reports.generation import Generation
from services.usage.reports.store.snapshot import Snapshots
from services.usage.tests.reports.histories import BEGINS, ENDS, file_of, history


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_report_is_the_same_file_from_both_stores(columns, pool, ingest, clock, tmp_path, kind: Kind):
    """Every figure, every request, in their order, days of a zone whose clocks are set back among them."""
    await columns.fill()
    await ingest.record([*history(200), *history(20, "user-2")])
    await columns.feeder.round()
    order = Order("user-1", BEGINS, ENDS, Wishes(Format.JSON, kind, "Europe/Berlin"))
    chosen = ChosenSnapshots(columns.chooser, ColumnReader(columns.engine), Nothing())

    made, expected = [
        await file_of(Generation(snapshots, clock, scratch=str(tmp_path), rows_max=1_000), order)
        for snapshots in (chosen, Snapshots(pool))
    ]

    assert made == expected
    assert len(made) > 1_000


class Nothing:
    """Stands where PostgreSQL's snapshots would be opened."""

    def open(self, user_id: str):
        raise AssertionError("the column store was to answer")
