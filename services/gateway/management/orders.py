"""What administrators order of the routers: routes and bodies of /v1/admin/providers and /v1/admin/catalog together."""

from __future__ import annotations

from fastapi import APIRouter

from services.gateway.clients.administration.client import AdministrationClient
from services.gateway.clients.router.client import RouterClient
from services.gateway.identity.address_limit import OAuthLimit
from services.gateway.management import catalog, providers


def order_routers(audit: AdministrationClient, routers: RouterClient, limit: OAuthLimit) -> tuple[APIRouter, ...]:
    """Return the routes."""
    return (
        *providers.provider_routers(audit, routers.administration, limit),
        *catalog.catalog_routers(audit, routers.catalog_orders, limit),
    )
