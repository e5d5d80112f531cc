"""All pages of administrators."""

from __future__ import annotations

from services.gateway.console.admin.audit import AuditPages
from services.gateway.console.admin.catalog import CatalogPage
from services.gateway.console.admin.organizations import OrganizationPages
from services.gateway.console.admin.people import PeoplePage
from services.gateway.console.admin.person import PersonPages
from services.gateway.console.admin.providers import ProvidersPage
from services.gateway.edge.endpoint import Endpoint
from services.gateway.pages.own_api import OwnApi
from services.gateway.pages.page_endpoint import PageDependencies


def admin_pages(shared: PageDependencies, api: OwnApi) -> list[Endpoint]:
    """Return the pages; they ask `api`, which says who is an administrator."""
    return [
        *PeoplePage(shared, api).all(),
        *PersonPages(shared, api).all(),
        *OrganizationPages(shared, api).all(),
        *ProvidersPage(shared, api).all(),
        *CatalogPage(shared, api).all(),
        *AuditPages(shared, api).all(),
    ]
