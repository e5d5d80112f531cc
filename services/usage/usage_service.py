"""UsageService: what usage tells about a user, in one place."""

from __future__ import annotations

from services.usage.insights.analysis import NOTHING_ASKED, Analysis, Asked
from services.usage.insights.domain.finding import UsagePatterns
from services.usage.statistics.detailed import DetailedStatistics
from services.usage.statistics.domain.detailed_stats import DetailedStats, Grouping, Period


class UsageService:
    """The core questions; what answers them is a room each."""

    def __init__(self, statistics: DetailedStatistics, analysis: Analysis) -> None:
        self._statistics = statistics
        self._analysis = analysis

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
