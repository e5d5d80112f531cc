"""What insights do by themselves, however many instances there are: each user once a day, dear hours at every look."""

from __future__ import annotations

import structlog

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.usage import metrics
from services.usage.insights.analysis import Analysis
from services.usage.insights.anomalies import Anomalies
from services.usage.insights.settings import InsightsSettings

log = structlog.get_logger()


class InsightsJobs:
    """The recurrent work."""

    def __init__(
        self, analysis: Analysis, anomalies: Anomalies, settings: InsightsSettings, *, clock: Clock
    ) -> None:
        self._analysis = analysis
        self._anomalies = anomalies
        self._every_s = settings.every_s
        self._clock = clock

    async def keep_looking(self) -> None:
        """Look again and again; cancel it to stop. What fails is tried at the next look."""
        while True:
            try:
                await self.look()
            except ServiceError as exc:
                metrics.UPKEEP_FAILURES.labels("insights").inc()
                log.warning("usage.upkeep_failed", job="insights", reason=exc.reason.value)
            await self._clock.sleep(self._every_s)

    async def look(self) -> int:
        """Watch the running hour, then analyse everybody whose turn it is; return how many were analysed here."""
        await self._anomalies.watch_hours()
        await self._analysis.enrol()
        count, user_id = 0, ""
        while (next_user := await self._analysis.next_user(user_id)) is not None:
            user_id = next_user
            count += await self._analyse(user_id)
        return count

    async def _analyse(self, user_id: str) -> bool:
        """Analyse one user; a fault in one's rows does not keep the others waiting."""
        try:
            return await self._analysis.analyse_today(user_id)
        except ServiceError:
            raise
        except Exception:
            metrics.UPKEEP_FAILURES.labels("insights").inc()
            log.exception("usage.analysis_failed")
            return False
