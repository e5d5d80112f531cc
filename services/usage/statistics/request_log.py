"""The use case: a page of the log of requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from servicekit.errors import invalid_parameter
from services.usage.domain.identifiers import is_uuid
from services.usage.statistics.domain.checking import check_period, check_values
from services.usage.statistics.domain.detailed_stats import Period
from services.usage.statistics.domain.request_line import LogQuery, RequestLine
from services.usage.statistics.reader import ReadsLog

MAX_LINES: Final = 1_000


class RequestLog:
    """Lists requests."""

    def __init__(self, reader: ReadsLog) -> None:
        self._reader = reader

    async def page(self, query: LogQuery) -> Sequence[RequestLine]:
        """Return the lines that follow the position, at most `limit`.

        Raises:
            InvalidRequest: the question names the parameter that is wrong.
            Unavailable: the store is away.
        """
        check_period(Period(query.since, query.until))
        if not 1 <= query.limit <= MAX_LINES:
            raise invalid_parameter("limit", f"`limit` must be 1 to {MAX_LINES}.")
        if query.after is not None and not is_uuid(query.after.request_id):
            raise invalid_parameter("cursor", "`cursor` must be what an earlier page gave.")
        for dimension, values in query.filters.items():
            check_values(dimension.value, values)
        return await self._reader.request_lines(query)
