"""Scheduled jobs of insights, shared by all instances: each user once a day, expensive hours at every run."""

from __future__ import annotations

import structlog

from servicekit.errors import ServiceError
from services.usage import metrics
from services.usage.insights.analysis import Analysis
from services.usage.insights.anomalies import Anomalies

log = structlog.get_logger()


class InsightsJobs:
    """The scheduled jobs."""

    def __init__(self, analysis: Analysis, anomalies: Anomalies) -> None:
        self._analysis = analysis
        self._anomalies = anomalies

    async def look(self) -> None:
        """Watch the running hour, then analyse everybody whose turn it is."""
        await self._anomalies.watch_hours()
        await self._analysis.enrol()
        user_id = await self._analysis.next_user("")
        while user_id is not None:
            await self._analyse(user_id)
            user_id = await self._analysis.next_user(user_id)

    async def _analyse(self, user_id: str) -> None:
        """Analyse one user; a fault in one's rows, or too many of them, does not keep the others waiting.

        That PostgreSQL is gone is found out when the next user is looked for.
        """
        try:
            await self._analysis.analyse_today(user_id)
        except ServiceError as exc:
            metrics.UPKEEP_FAILURES.labels("insights").inc()
            log.warning("usage.analysis_postponed", user_id=user_id, reason=exc.reason.value)
        except Exception:
            metrics.UPKEEP_FAILURES.labels("insights").inc()
            log.exception("usage.analysis_failed", user_id=user_id)
