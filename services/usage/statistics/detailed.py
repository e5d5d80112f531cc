"""The use case: figures of a period, divided, compared, and folded to the largest groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from servicekit.clock import Clock
from services.usage.statistics.domain.checking import check_question
from services.usage.statistics.domain.detailed_stats import Comparison, DetailedStats, Grouping, Period, query_of
from services.usage.statistics.domain.drivers import changes
from services.usage.statistics.domain.figures import Figures, Row
from services.usage.statistics.domain.query import Dimension, Query
from services.usage.statistics.reader import ReadsTogether

_BY_MODEL: Final = (Dimension.VERSION,)


class DetailedStatistics:
    """Answers what is asked of a period."""

    def __init__(self, reader: ReadsTogether, *, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock

    async def of(self, user_id: str | None, period: Period, grouping: Grouping) -> DetailedStats:
        """Return the figures of one user, or of everybody (None); all of them are of one moment.

        Raises:
            InvalidRequest: the question names the parameter that is wrong.
            Unavailable: the store is away.
        """
        check_question(period, grouping)
        as_of = self._clock.now()
        whole = query_of(user_id, period, replace(grouping, bucket=None, group_by=(), top=0, limit=0, after=None))
        queries = [whole]
        if grouping.bucket or grouping.group_by:
            queries.append(query_of(user_id, period, grouping))
        if grouping.compared:
            queries += _questions_of_comparison(whole, period.previous())
        answers = await self._reader.figures_together(queries)
        comparison = _comparison(period.previous(), answers[-3:]) if grouping.compared else None
        rows = answers[1] if grouping.bucket or grouping.group_by else ()
        return DetailedStats(period, tuple(rows), _only(answers[0]), comparison, as_of)


def _questions_of_comparison(whole: Query, previous: Period) -> list[Query]:
    before = replace(whole, since=previous.since, until=previous.until)
    return [before, *[replace(each, group_by=_BY_MODEL, quantiles=False) for each in (before, whole)]]


def _comparison(previous: Period, answers: Sequence[Sequence[Row]]) -> Comparison:
    total, *by_model = answers
    before, now = [{row.group[0]: row.figures for row in rows} for rows in by_model]
    return Comparison(previous, _only(total), changes(before, now))


def _only(rows: Sequence[Row]) -> Figures:
    return rows[0].figures if rows else Figures()
