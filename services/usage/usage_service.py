"""Use cases about a user's usage, behind one interface."""

from __future__ import annotations

from services.usage.insights.analysis import NOTHING_ASKED, Analysis, Asked
from services.usage.insights.domain.finding import UsagePatterns
from services.usage.reports.domain.order import Format, Order
from services.usage.reports.domain.report import Report
from services.usage.reports.ordering import Reports
from services.usage.statistics.detailed import DetailedStatistics
from services.usage.statistics.domain.detailed_stats import DetailedStats, Grouping, Period


class UsageService:
    """The core use cases; each is implemented by a room."""

    def __init__(self, statistics: DetailedStatistics, analysis: Analysis, reports: Reports) -> None:
        self._statistics = statistics
        self._analysis = analysis
        self._reports = reports

    async def get_detailed_stats(self, user_id: str | None, period: Period, grouping: Grouping) -> DetailedStats:
        """Return the figures of one user, or of everybody (None), divided as the grouping says.

        Raises:
            InvalidRequest: the question names the parameter that is wrong.
            Unavailable: the store is away.
        """
        return await self._statistics.of(user_id, period, grouping)

    async def analyze_usage_patterns(self, user_id: str, asked: Asked = NOTHING_ASKED) -> UsagePatterns:
        """Return what shows in a user's usage, given what only the asking side knows.

        Raises:
            Unavailable: the store is away.
        """
        return await self._analysis.patterns(user_id, asked)

    async def generate_usage_report(self, user_id: str, format: Format, order: Order | None = None) -> Report:
        """Return a report of the last thirty days, or of what the order says; done already when it is a small one.

        Raises:
            InvalidRequest: it cannot be made; the field is named.
            QuotaExceeded: the user has too many.
            Unavailable: the store is away.
        """
        return await self._reports.order(order or self._reports.usual_order(user_id, format))
