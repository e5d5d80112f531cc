"""The use case: figures of a period, grouped, compared, and folded to the largest groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from servicekit.clock import Clock
from services.usage.statistics.domain.checking import check_question
from services.usage.statistics.domain.detailed_stats import Comparison, DetailedStats, Grouping, Period, query_of
from services.usage.statistics.domain.drivers import changes
from services.usage.statistics.domain.figures import Figures, Row
from services.usage.statistics.domain.folding import add_up
from services.usage.statistics.domain.query import Dimension, Query
from services.usage.statistics.reader import ReadsTogether

_BY_MODEL: Final = (Dimension.VERSION,)


class DetailedStatistics:
    """Answers questions about a period."""

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
        divided = query_of(user_id, period, grouping)
        is_total_asked = divided != whole and not _adds_up(divided)
        queries = [divided, whole] if is_total_asked else [divided]
        if grouping.compared:
            queries += _questions_of_comparison(whole, period.previous())
        rows, *answers = await self._reader.figures_together(queries)
        total = _only(answers[0]) if is_total_asked else _total_of(rows)
        comparison = _comparison(period.previous(), answers[-3:]) if grouping.compared else None
        return DetailedStats(period, tuple(rows if divided != whole else ()), total, comparison, as_of)


def _adds_up(query: Query) -> bool:
    """Tell whether the rows of an answer are all requests, each once, and have no durations, which do not add up."""
    return not (query.quantiles or query.limit or Dimension.TAG in query.group_by)


def _questions_of_comparison(whole: Query, previous: Period) -> list[Query]:
    before = replace(whole, since=previous.since, until=previous.until)
    return [before, *[replace(each, group_by=_BY_MODEL, quantiles=False) for each in (before, whole)]]


def _comparison(previous: Period, answers: Sequence[Sequence[Row]]) -> Comparison:
    total, *by_model = answers
    before, now = [{row.group[0]: row.figures for row in rows} for rows in by_model]
    return Comparison(previous, _only(total), changes(before, now))


def _total_of(rows: Sequence[Row]) -> Figures:
    return rows[0].figures if len(rows) == 1 else add_up(row.figures for row in rows)


def _only(rows: Sequence[Row]) -> Figures:
    return rows[0].figures if rows else Figures()
