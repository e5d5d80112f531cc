"""Composition root: which instance gets which, and the order of start and stop."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import grpc
from razvilka.usage.v1.catalog_facts_pb2_grpc import add_CatalogFactsServiceServicer_to_server
from razvilka.usage.v1.forecasts_pb2_grpc import add_ForecastServiceServicer_to_server
from razvilka.usage.v1.insights_pb2_grpc import add_InsightsServiceServicer_to_server
from razvilka.usage.v1.notifications_pb2_grpc import add_NotificationServiceServicer_to_server
from razvilka.usage.v1.personal_data_pb2_grpc import add_PersonalDataServiceServicer_to_server
from razvilka.usage.v1.reports_pb2_grpc import add_ReportServiceServicer_to_server
from razvilka.usage.v1.shared_spend_pb2_grpc import add_SharedSpendServiceServicer_to_server
from razvilka.usage.v1.statistics_pb2_grpc import add_StatisticsServiceServicer_to_server
from razvilka.usage.v1.usage_pb2_grpc import add_UsageServiceServicer_to_server

from servicekit import lifecycle, telemetry
from servicekit.clock import Clock, SystemClock
from servicekit.fairness.shares import shares_of_pool
from servicekit.fairness.turns import Turns
from servicekit.postgres import open_pool
from servicekit.rpc_server import running_server
from servicekit.trust.callers import CallPolicy
from servicekit.trust.in_their_name import InTheirName
from servicekit.trust.user_context import ContextCheck
from services.usage.archiving.archive import Archive
from services.usage.archiving.store import ArchiveStore
from services.usage.callers import CALLERS, IN_THEIR_NAME
from services.usage.catalog_facts.rpc import CatalogFactsServicer
from services.usage.catalog_facts.store import FactsStore
from services.usage.column_store.assembly import Analytics, open_analytics
from services.usage.forecasting.assembly import ForecastRoom, build_forecasting
from services.usage.ingest import Ingest
from services.usage.insights.assembly import build_insights
from services.usage.insights.rpc import InsightsServicer
from services.usage.notifications import assembly as notifications_assembly
from services.usage.notifications.assembly import open_notifications
from services.usage.notifications.forgetting import forgetting_elsewhere
from services.usage.personal_data.rpc import PersonalDataServicer
from services.usage.personal_data.store import PersonalData
from services.usage.reports.assembly import Surroundings, open_reports
from services.usage.reports.rpc import ReportServicer
from services.usage.reports.store.forgetting import ending_schedules
from services.usage.rpc import SharedSpendServicer, UsageServicer
from services.usage.settings import UsageSettings
from services.usage.spending import Spending
from services.usage.statistics.detailed import DetailedStatistics
from services.usage.statistics.request_log import RequestLog
from services.usage.statistics.rpc import StatisticsServicer
from services.usage.store import UsageStore
from services.usage.upkeep import Upkeep
from services.usage.usage_service import UsageService


async def serve(settings: UsageSettings) -> None:
    """Serve until a signal comes. PostgreSQL may be down: the service is then up, but not ready."""
    telemetry.configure("usage", settings.telemetry)
    telemetry.serve_metrics(settings.metrics)
    async with running(settings, clock=SystemClock()):
        await lifecycle.stop_requested()


@asynccontextmanager
async def running(settings: UsageSettings, *, clock: Clock) -> AsyncIterator[int]:
    """Run the service while the block lasts; yield its port."""
    rng = random.Random()  # noqa: S311 - it spreads retries, it guards nothing
    async with (
        _asked_by_all(settings, clock) as (pool, analytics, forecasting),
        open_notifications(
            pool, settings.notification_options, around=_around(pool, forecasting), clock=clock, rng=rng
        ) as notifications,
        open_reports(
            pool,
            settings.postgres,
            settings.reports,
            Surroundings(
                notifications.events.raise_event, settings.notifications.public_url, clock, analytics.snapshots
            ),
        ) as reports,
        lifecycle.background() as tasks,
    ):
        store = UsageStore(pool)
        upkeep = Upkeep(store, settings.partitions, settings.invariants, clock=clock)
        ingest = Ingest(store, settings.ingest, clock=clock, rng=rng)
        insights = build_insights(
            pool, notifications.events.raise_event, forecasting.forecaster, analytics.material, clock=clock
        )
        service = UsageService(DetailedStatistics(analytics.reader, clock=clock), insights.analysis, reports.reports)
        check = ContextCheck(settings.tls, "usage", clock)
        # How each is registered, and what answers.
        served: tuple[tuple[Callable[[Any, grpc.aio.Server], None], object], ...] = (
            (add_UsageServiceServicer_to_server, UsageServicer(ingest, Spending(store), upkeep)),
            (add_SharedSpendServiceServicer_to_server, SharedSpendServicer(Spending(store))),
            (add_CatalogFactsServiceServicer_to_server, CatalogFactsServicer(FactsStore(pool))),
            (add_ForecastServiceServicer_to_server, forecasting.servicer),
            (add_InsightsServiceServicer_to_server, InsightsServicer(insights, service.analyze_usage_patterns)),
            (add_StatisticsServiceServicer_to_server, StatisticsServicer(service, RequestLog(analytics.reader))),
            (
                add_ReportServiceServicer_to_server,
                ReportServicer(reports.reports, reports.schedules, service.generate_usage_report),
            ),
            (add_NotificationServiceServicer_to_server, notifications.servicer),
            (
                add_PersonalDataServiceServicer_to_server,
                PersonalDataServicer(PersonalData(pool, notifications.channels)),
            ),
        )

        shares = shares_of_pool(settings.postgres.pool_max)

        def register(server: grpc.aio.Server) -> None:
            for add, servicer in served:
                add(InTheirName(Turns(servicer, IN_THEIR_NAME, shares), IN_THEIR_NAME, check), server)

        policy = CallPolicy(CALLERS)
        async with running_server(settings.grpc, register, store.is_ready, policy, settings.tls) as port:
            tasks.start(upkeep.keep_partitions(), name="partitions")
            tasks.start(upkeep.keep_checking(), name="invariants")
            if settings.backup_stamp is not None:
                tasks.start(upkeep.keep_watching_backups(settings.backup_stamp), name="backup_stamp")
            tasks.start(upkeep.repeat("insights", settings.insights.every_s, insights.jobs.look), name="insights")
            if settings.archive.after_months and settings.archive.folder:
                archive = Archive(
                    ArchiveStore(pool), settings.archive.folder, settings.archive.after_months, clock=clock
                )
                tasks.start(upkeep.repeat("archive", settings.archive.every_s, archive.round), name="archive")
            repeated = notifications.jobs | reports.jobs | forecasting.jobs | analytics.jobs
            for job, (work, every_s) in repeated.items():
                tasks.start(upkeep.repeat(job, every_s, work), name=job)
            yield port


@asynccontextmanager
async def _asked_by_all(
    settings: UsageSettings, clock: Clock
) -> AsyncIterator[tuple[asyncpg.Pool[asyncpg.Record], Analytics, ForecastRoom]]:
    """Yield the pool, who answers analytics, and the one room that foretells: other rooms ask them."""
    async with open_pool(settings.postgres) as pool, open_analytics(pool, settings.analytics, clock) as analytics:
        yield pool, analytics, build_forecasting(pool, settings.forecasts, clock, analytics.reader)


def _around(pool: asyncpg.Pool[asyncpg.Record], forecasting: ForecastRoom) -> notifications_assembly.Surroundings:
    """Return what other rooms do for notifications."""
    return notifications_assembly.Surroundings(
        forecasting.forecaster.limit_dates, forgetting_elsewhere(pool), ending_schedules(pool)
    )
