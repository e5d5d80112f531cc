"""The three services behind the gateway, and what asks them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from servicekit.clock import Clock
from servicekit.rpc_client import open_channel, peer_of
from services.gateway.clients.accounts import AccountClient
from services.gateway.clients.administration.client import AdministrationClient
from services.gateway.clients.administration.people import PeopleClient
from services.gateway.clients.auth import AuthClient
from services.gateway.clients.budgets.client import BudgetClient
from services.gateway.clients.budgets.shared_spend import SharedSpend
from services.gateway.clients.grants import GrantClient
from services.gateway.clients.notifications.client import NotificationClient
from services.gateway.clients.notifications.owners import OwnerClient
from services.gateway.clients.oauth import OAuthClient
from services.gateway.clients.personal_data.client import PersonalDataClient, of_auth, of_usage
from services.gateway.clients.router.client import RouterClient, open_router
from services.gateway.clients.usage import UsageClient
from services.gateway.clients.usage_catalog_facts import CatalogFactsClient
from services.gateway.clients.usage_forecasts.client import ForecastClient
from services.gateway.clients.usage_insights.client import InsightsClient
from services.gateway.clients.usage_reports.client import ReportClient
from services.gateway.clients.usage_statistics.client import StatisticsClient
from services.gateway.clients.user_contexts import UserContextClient
from services.gateway.settings import GatewaySettings


@dataclass(frozen=True, slots=True)
class Clients:
    """The three services behind the gateway; auth has several faces."""

    auth: AuthClient
    oauth: OAuthClient
    grants: GrantClient
    accounts: AccountClient
    administration: AdministrationClient
    people: PeopleClient
    router: RouterClient
    usage: UsageClient
    statistics: StatisticsClient
    forecasts: ForecastClient
    insights: InsightsClient
    reports: ReportClient
    catalog_facts: CatalogFactsClient
    budgets: BudgetClient
    spend: SharedSpend
    notifications: NotificationClient
    owners: OwnerClient
    personal_data: tuple[PersonalDataClient, ...]


async def open_clients(stack: AsyncExitStack, settings: GatewaySettings, clock: Clock) -> Clients:
    """Return the clients; `stack` closes their channels."""
    at_auth, at_router, at_usage = (peer_of(service, settings.tls) for service in ("auth", "router", "usage"))
    auth = await stack.enter_async_context(open_channel(settings.auth_target, at_auth))
    usage = await stack.enter_async_context(open_channel(settings.usage_target, at_usage))
    contexts = UserContextClient(auth, clock, deadline_s=settings.auth_timeout_s)
    router = await stack.enter_async_context(
        open_router(settings.router_target, settings.multiplex, at_router, contexts.signed)
    )
    used = UsageClient(usage, contexts.signed)
    budgets = BudgetClient(auth, deadline_s=settings.auth_timeout_s)
    return Clients(
        AuthClient(auth, deadline_s=settings.auth_timeout_s),
        OAuthClient(auth, deadline_s=settings.auth_timeout_s),
        GrantClient(auth, deadline_s=settings.auth_timeout_s),
        AccountClient(auth, deadline_s=settings.account_timeout_s),
        AdministrationClient(auth, deadline_s=settings.auth_timeout_s),
        PeopleClient(auth, deadline_s=settings.auth_timeout_s),
        router,
        used,
        StatisticsClient(usage, contexts.signed),
        ForecastClient(usage, contexts.signed),
        InsightsClient(usage, contexts.signed),
        ReportClient(usage, contexts.signed),
        CatalogFactsClient(usage),
        budgets,
        SharedSpend(usage, used.get_spend, budgets.memberships),
        NotificationClient(usage, contexts.signed),
        OwnerClient(auth, deadline_s=settings.auth_timeout_s),
        (of_usage(usage, contexts.signed), router.personal_data, of_auth(auth)),
    )
