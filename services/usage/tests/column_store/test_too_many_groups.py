"""Questions that have more groups than anybody could be answered are refused by the column store, too."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servicekit.errors import InvalidRequest
from services.usage.statistics.domain.query import Dimension
from services.usage.tests.column_store.opened import WHOLE
from services.usage.tests.statistics.samples import sample

MOST = 40


async def test_a_tag_for_each_request_is_refused_before_it_takes_all_memory(columns, ingest, monkeypatch):
    """The service that books requests would end with it; what has fewer by its kind is answered as ever."""
    monkeypatch.setattr("services.usage.column_store.column_reader.MOST_ROWS", MOST)
    await ingest.record([replace(each, metadata={"trace": str(n)}) for n, each in enumerate(sample(60))])
    await columns.feeder.round()
    await columns.fill()
    by_tag = replace(WHOLE, bucket=None, group_by=(Dimension.TAG,))

    with pytest.raises(InvalidRequest, match="gives more than 40 rows; ask for a shorter period") as caught:
        await columns.reader.figures(by_tag)
    largest = await columns.reader.figures(replace(by_tag, top=3))
    models = await columns.reader.figures(replace(WHOLE, group_by=(Dimension.VERSION, Dimension.ERROR)))

    assert caught.value.param == "group_by"
    assert [row.is_other for row in largest] == [False, False, False, True]
    assert sum(row.figures.requests for row in models) == 60
