"""The routes of every room, made of the parts that the composition root built."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter
from starlette.types import ASGIApp

from servicekit.clock import Clock
from servicekit.lifecycle import Background
from services.gateway.admission.redis.explanations import RedisExplanations
from services.gateway.analytics import needs as analytics
from services.gateway.analytics.export import export_router
from services.gateway.analytics.forecasting.routes import forecast_router
from services.gateway.analytics.insights import AskedFor, insights_router
from services.gateway.analytics.ledger import ledger_router
from services.gateway.analytics.organization import organization_router
from services.gateway.analytics.routes import usage_router
from services.gateway.availability import routes as availability
from services.gateway.availability.public_status import PublicStatus
from services.gateway.availability.routes import status_router
from services.gateway.batches import needs as batches
from services.gateway.batches.holders import Holders
from services.gateway.batches.line_answers import LineAnswers
from services.gateway.batches.looking import Looking
from services.gateway.batches.routes import batches_router
from services.gateway.batches.runner import BatchRunner
from services.gateway.budgets import administration as budget_administration
from services.gateway.budgets import routes as budgets
from services.gateway.budgets.administration import admin_budgets_router, organizations_router
from services.gateway.budgets.routes import budgets_router
from services.gateway.budgets.standing import Standings
from services.gateway.clients.accounts import AccountClient
from services.gateway.clients.administration.client import AdministrationClient
from services.gateway.clients.administration.people import PeopleClient
from services.gateway.clients.auth import AuthClient
from services.gateway.clients.budgets.client import BudgetClient
from services.gateway.clients.catalog import CatalogWatch
from services.gateway.clients.grants import GrantClient
from services.gateway.clients.kept.probe_results import ProbeResults
from services.gateway.clients.notifications.client import NotificationClient
from services.gateway.clients.oauth import OAuthClient
from services.gateway.clients.router.client import RouterClient
from services.gateway.clients.usage import UsageClient
from services.gateway.clients.usage_forecasts.client import ForecastClient
from services.gateway.clients.usage_insights.client import InsightsClient
from services.gateway.clients.usage_reports.client import ReportClient
from services.gateway.clients.usage_statistics.client import StatisticsClient
from services.gateway.edge.access_log import HEALTH_PATHS
from services.gateway.edge.api_description import OPENAPI_PATH
from services.gateway.edge.server.health import health_router
from services.gateway.edge.server.readiness import Readiness
from services.gateway.files import needs as files
from services.gateway.files.routes import files_router
from services.gateway.files.uploading import Uploading
from services.gateway.identity.access import Needs, Open
from services.gateway.identity.address_limit import OAuthLimit
from services.gateway.identity.authentication import Authenticator
from services.gateway.identity.key_sets import KeySet, PublicAddress
from services.gateway.identity.possession import PossessionCheck
from services.gateway.identity.refusals import Refusals
from services.gateway.identity.step_up import StepUp
from services.gateway.inference.answers import Answers
from services.gateway.inference.caching.answer_cache import AnswerCache
from services.gateway.inference.keeping.idempotency import Idempotency
from services.gateway.inference.paid_call import PaidCalls
from services.gateway.inference.pricing import Pricing
from services.gateway.inference.responses.kept import KeptResponses
from services.gateway.inference.routes import needs as inference
from services.gateway.inference.routes.chat import ChatCompletions
from services.gateway.inference.routes.embeddings import EmbeddingsRoute
from services.gateway.inference.routes.kept_responses import kept_responses_router
from services.gateway.inference.routes.messages import CountTokens, Messages
from services.gateway.inference.routes.models import models_router
from services.gateway.inference.routes.paid_route import InferenceDependencies, PaidRoute
from services.gateway.inference.routes.provider_status import providers_router
from services.gateway.inference.routes.requests import requests_router
from services.gateway.inference.routes.responses import InputTokens, Responses
from services.gateway.inference.routes.text_completions import TextCompletions
from services.gateway.inference.routes.tokenize import Tokenize
from services.gateway.management import needs as management
from services.gateway.management.abuse import abuse_router
from services.gateway.management.account import account_router, profile_router
from services.gateway.management.administration import administration_router, credentials_router
from services.gateway.management.catalog import catalog_routers
from services.gateway.management.credentials.changes import client_changes_router, key_changes_router
from services.gateway.management.credentials.clients import clients_router
from services.gateway.management.credentials.key_info import Spent, auth_key_router
from services.gateway.management.credentials.keys import keys_router
from services.gateway.management.credentials.model_names import model_names_router
from services.gateway.management.expiring_models import expiring_models_router
from services.gateway.management.people.routes import people_router
from services.gateway.management.personal_export import PersonalExport
from services.gateway.management.providers import provider_routers
from services.gateway.management.sessions_and_grants import grants_router, sessions_router
from services.gateway.metering.interfaces import ElectsLeader
from services.gateway.notifications import routes as notifications
from services.gateway.notifications.account_sync import AccountSync
from services.gateway.probing.probe import Probed, Version, probe
from services.gateway.probing.prober import Prober
from services.gateway.probing.versions import versions_of
from services.gateway.reports import needs as reports
from services.gateway.reports.parts import ReportParts
from services.gateway.reports.routes import reports_router
from services.gateway.reports.schedules import schedules_router
from services.gateway.settings import GatewaySettings

# The edge knows no credentials, so what it serves is everybody's.
EDGE_NEEDS: Final[Needs] = dict.fromkeys((*HEALTH_PATHS, OPENAPI_PATH), Open.EVERYONE)
ROOM_NEEDS: Final = (
    EDGE_NEEDS,
    inference.NEEDS,
    files.NEEDS,
    batches.NEEDS,
    reports.NEEDS,
    budgets.NEEDS,
    budget_administration.NEEDS,
    notifications.NEEDS,
    availability.NEEDS,
    *management.NEEDS,
    *analytics.NEEDS,
)
# Everywhere else a query that says a name twice is refused.
LISTS_IN_QUERIES: Final = analytics.LISTS


@dataclass(frozen=True, slots=True)
class AppDependencies:
    """What the routes are made of; the composition root builds it."""

    settings: GatewaySettings
    authenticator: Authenticator
    possession: PossessionCheck
    catalog: CatalogWatch
    router: RouterClient
    usage: UsageClient
    statistics: StatisticsClient
    forecasts: ForecastClient
    insights: InsightsClient
    reports: ReportClient
    notifications: NotificationClient
    account_sync: AccountSync
    auth: AuthClient
    oauth: OAuthClient
    grants: GrantClient
    accounts: AccountClient
    export: PersonalExport
    administration: AdministrationClient
    people: PeopleClient
    budgets: BudgetClient
    standings: Standings
    spent: Spent
    key_set: KeySet
    limit: OAuthLimit
    refusals: Refusals
    paid_calls: PaidCalls
    kept_responses: KeptResponses
    explanations: RedisExplanations
    probes: ProbeResults
    idempotency: Idempotency
    cache: AnswerCache
    holders: Holders
    batch_news: asyncio.Event
    readiness: Readiness
    clock: Clock

    @property
    def address(self) -> PublicAddress:
        """Return what knows our own address."""
        return PublicAddress(self.settings.public_url, self.key_set)


def _step_up(parts: AppDependencies) -> StepUp:
    return StepUp(parts.clock, parts.settings.oauth.step_up_max_age_s)


def routers(parts: AppDependencies) -> tuple[APIRouter, ...]:
    """Return what the framework routes."""
    return (
        models_router(parts.catalog, parts.clock),
        requests_router(parts.usage, parts.explanations, parts.catalog),
        kept_responses_router(parts.kept_responses),
        auth_key_router(parts.spent),
        providers_router(parts.router),
        files_router(
            parts.router.files,
            parts.router.stored_files,
            Uploading(parts.router.stored_files, parts.settings.batches, parts.paid_calls.tasks),
        ),
        batches_router(parts.router.batches, parts.batch_news),
        health_router(parts.readiness),
        status_router(PublicStatus(parts.router, parts.statistics, parts.probes, parts.clock), parts.address),
        profile_router(parts.accounts, parts.limit),
        account_router(parts.accounts, parts.export, parts.account_sync.sync_user, parts.limit),
        sessions_router(parts.accounts),
        grants_router(parts.grants),
        keys_router(parts.auth, parts.catalog, _step_up(parts), parts.settings.cache),
        key_changes_router(parts.auth, parts.catalog, _step_up(parts), parts.settings.cache),
        model_names_router(parts.auth, parts.catalog, _step_up(parts)),
        clients_router(parts.grants, _step_up(parts)),
        client_changes_router(parts.grants, _step_up(parts)),
        administration_router(parts.administration, parts.limit),
        credentials_router(parts.administration, parts.limit),
        people_router(parts.people),
        abuse_router(parts.refusals),
        expiring_models_router(parts.usage, parts.catalog, parts.clock),
        budgets_router(parts.budgets, parts.standings, _step_up(parts)),
        admin_budgets_router(parts.budgets, parts.standings),
        organizations_router(parts.budgets),
        *notifications.notification_routers(parts.notifications, parts.account_sync),
        *provider_routers(parts.administration, parts.router.administration, parts.limit),
        *catalog_routers(parts.administration, parts.router.catalog_orders, parts.limit),
        usage_router(parts.statistics, parts.clock),
        export_router(parts.statistics, parts.clock),
        organization_router(parts.statistics, parts.clock),
        ledger_router(parts.usage, parts.clock),
        forecast_router(parts.forecasts, parts.usage, parts.clock),
        insights_router(parts.insights, AskedFor(parts.auth, parts.usage, parts.clock), parts.catalog, parts.clock),
        *_report_routers(parts),
    )


def batch_runner(parts: AppDependencies, worker: str, tasks: Background) -> BatchRunner:
    """Return what works on batches under this name; `tasks` own the lines that are being answered."""
    inference, settings, work = _inference(parts), parts.settings.batches, parts.router.batch_work(worker)
    routes = {route.path: route for route in (ChatCompletions(inference), EmbeddingsRoute(inference))}
    longest = parts.settings.limit.body_mb * 1024 * 1024
    return BatchRunner(
        work,
        Looking(work, routes, most_lines=settings.lines, longest_line=longest),
        LineAnswers(work, routes, parts.holders, parts.clock, timeout_s=settings.line_s),
        settings,
        clock=parts.clock,
        tasks=tasks,
        news=parts.batch_news,
    )


def prober(parts: AppDependencies, app: ASGIApp, election: ElectsLeader) -> Prober:
    """Return what asks each version every so often, through `app`, as any caller does."""
    given = parts.settings.probes
    if given.key_file is None:
        raise ValueError("probes have no key: the settings let nobody begin without one")

    def versions() -> tuple[Version, ...]:
        return versions_of(parts.catalog.current(), given.named, parts.clock.now()) if parts.catalog.is_ready else ()

    async def keep(probed: Probed) -> None:
        await parts.probes.keep(probed.version.model, probed.outcome.value, probed.first_token_s)

    return Prober(
        election,
        versions,
        lambda version, key: probe(app, version, key, timeout_s=given.timeout_s),
        keep,
        key_file=given.key_file,
        every_s=given.every_s,
        clock=parts.clock,
        rng=random.Random(),  # noqa: S311 - chance spreads probes, nothing is kept secret by it
    )


def _inference(parts: AppDependencies) -> InferenceDependencies:
    return InferenceDependencies(
        authenticator=parts.authenticator,
        limits=parts.settings.limit,
        pricing=Pricing(parts.catalog, parts.clock),
        router=parts.router,
        answers=Answers(parts.paid_calls, parts.cache),
        free_calls=parts.paid_calls.free,
        idempotency=parts.idempotency,
        cache=parts.settings.cache,
    )


def _report_routers(parts: AppDependencies) -> tuple[APIRouter, ...]:
    given = ReportParts(parts.reports, parts.auth, parts.address, parts.limit, parts.clock)
    # Schedules first: their path would be a report's id.
    return schedules_router(given), reports_router(given)


def hot_endpoints(parts: AppDependencies) -> dict[str, ASGIApp]:
    """Return the paid routes by path: they are served before the framework."""
    inference = _inference(parts)
    routes: tuple[PaidRoute[Any], ...] = (
        ChatCompletions(inference),
        TextCompletions(inference),
        EmbeddingsRoute(inference),
        Messages(inference),
        CountTokens(inference),
        Tokenize(inference),
        Responses(inference, parts.kept_responses),
        InputTokens(inference, parts.kept_responses),
    )
    return {route.path: route for route in routes}
