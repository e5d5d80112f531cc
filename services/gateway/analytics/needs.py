"""What the routes of analytics need, and which of their parameters are lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.gateway.analytics import export, insights, ledger, organization, routes
from services.gateway.analytics.forecasting import routes as forecasting
from services.gateway.analytics.grammar import DIMENSIONS
from services.gateway.identity.access import Needs

NEEDS: Final[tuple[Needs, ...]] = (
    routes.NEEDS,
    export.NEEDS,
    forecasting.NEEDS,
    insights.NEEDS,
    ledger.NEEDS,
    organization.NEEDS,
)

_REPEATED: Final = frozenset({*DIMENSIONS, "group_by"})
# Route -> the parameters that may come more than once.
LISTS: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys((*routes.NEEDS, *export.NEEDS), _REPEATED),
    **insights.LISTS,
    **dict.fromkeys(organization.NEEDS, organization.LISTS),
}
