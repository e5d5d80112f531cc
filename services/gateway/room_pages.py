"""What FastAPI does not serve: the endpoints of the protocol and the pages, made of the same parts as the routes."""

from __future__ import annotations

from typing import Final

from services.gateway.console.account import AccountPages
from services.gateway.console.admin.pages import admin_pages
from services.gateway.console.applications.pages import ApplicationPages
from services.gateway.console.breaking.alarms import AlarmWatch
from services.gateway.console.breaking.emulated import EmulatedProvider
from services.gateway.console.breaking.faults import PROVIDER
from services.gateway.console.breaking.page import BreakPages
from services.gateway.console.budgets.pages import BudgetPages
from services.gateway.console.data import DataPages
from services.gateway.console.demo import DemoFile
from services.gateway.console.front_door import FrontDoor
from services.gateway.console.keys.naming import NamePages
from services.gateway.console.keys.pages import KeyPages
from services.gateway.console.login import LoginPages
from services.gateway.console.models import ModelsPage
from services.gateway.console.notices.assembly import notice_pages
from services.gateway.console.overview import OverviewPage
from services.gateway.console.playground.page import PlaygroundPages
from services.gateway.console.registration import RegistrationPages
from services.gateway.console.reports.pages import ReportPages
from services.gateway.console.requests import RequestPages
from services.gateway.console.status import StatusPage
from services.gateway.console.style import StylePage
from services.gateway.console.unknown import UnknownPages
from services.gateway.console.usage.page import UsagePage
from services.gateway.edge.endpoint import Cors, Endpoint
from services.gateway.oauth.authorize import Authorization
from services.gateway.oauth.device import DevicePages
from services.gateway.oauth.metadata import MetadataEndpoints
from services.gateway.oauth.token import TokenEndpoints
from services.gateway.pages.own_api import OwnApi
from services.gateway.pages.page_endpoint import PageDependencies
from services.gateway.pages.policy_reports import reports_endpoint
from services.gateway.pages.static_route import static_endpoint
from services.gateway.reference.shown.pages import ReferencePages
from services.gateway.rooms import AppDependencies

# What is of the protocol was at /oauth/… in release 1.0, and is there still.
OAUTH_PREFIX: Final = "/oauth"


def protocol_endpoints(parts: AppDependencies) -> dict[str, Endpoint]:
    """Return the endpoints of the protocol by path, each also under /oauth."""
    cors = Cors(parts.settings.oauth.cors_list)
    endpoints = (
        *TokenEndpoints(parts.oauth, parts.possession, parts.limit, cors).all(),
        *MetadataEndpoints(parts.key_set, cors).all(),
    )
    return {prefix + endpoint.path: endpoint for endpoint in endpoints for prefix in ("", OAUTH_PREFIX)}


def page_endpoints(parts: AppDependencies, api: OwnApi) -> dict[str, Endpoint]:
    """Return the pages for people by path; those of the protocol also under /oauth. `api` is what they ask."""
    settings = parts.settings
    shows_docs = settings.environment != "production"
    shared = PageDependencies(
        parts.address,
        parts.accounts,
        parts.limit,
        orders_kept_s=settings.idempotency.kept_s,
        shows_docs=shows_docs,
    )
    authorization = Authorization(shared, parts.oauth, parts.catalog)
    protocol = (*authorization.all(), *DevicePages(shared, parts.oauth, parts.catalog).all())
    people = (
        *LoginPages(shared, authorization, parts.clock).all(),
        *RegistrationPages(shared).all(),
        *FrontDoor(
            shared,
            api,
            DemoFile(settings.demo_file),
            may_break=bool(settings.emulator_control_url),
        ).all(),
        *OverviewPage(shared, api, may_break=bool(settings.emulator_control_url)).all(),
        *UsagePage(shared, api).all(),
        *RequestPages(shared, api).all(),
        *ModelsPage(shared, api).all(),
        *NamePages(shared, api).all(),
        *KeyPages(shared, api, parts.clock).all(),
        *ApplicationPages(shared, api, parts.clock).all(),
        *BudgetPages(shared, api).all(),
        *notice_pages(shared, api, parts.clock),
        *ReportPages(shared, api).all(),
        *admin_pages(shared, api),
        *_break_pages(parts, shared, api),
        *PlaygroundPages(shared, api).all(),
        *StatusPage(shared, api).all(),
        *AccountPages(shared).all(),
        *DataPages(shared, parts.export, parts.notifications, parts.account_sync).all(
            outbox=settings.environment != "production"
        ),
        static_endpoint(),
        reports_endpoint(parts.limit),
        *([*ReferencePages(shared, api).all(), *StylePage(shared).all()] if shows_docs else []),
        *UnknownPages(shared).all(),
    )
    return {
        **{page.path: page for page in (*protocol, *people)},
        **{OAUTH_PREFIX + page.path: page for page in protocol},
    }


def _break_pages(parts: AppDependencies, shared: PageDependencies, api: OwnApi) -> list[Endpoint]:
    url = parts.settings.emulator_control_url
    if not url:
        return []
    watch = AlarmWatch(PROVIDER, parts.clock)
    return BreakPages(shared, api, EmulatedProvider(url, PROVIDER), parts.router.administration, watch).all()
