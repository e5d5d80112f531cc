"""What the routes of analytics need, module by module."""

from __future__ import annotations

from typing import Final

from services.gateway.analytics import export, organization, routes
from services.gateway.identity.access import Needs

NEEDS: Final[tuple[Needs, ...]] = (routes.NEEDS, export.NEEDS, organization.NEEDS)
