"""Which service may call which RPC of usage, and in whose name. An RPC without a row stops the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from servicekit.trust.user_context import UserRow

METHODS: Final = {
    "Record": ("gateway",),
    "GetSpend": ("gateway",),
    "GetRequest": ("gateway",),
    "CheckInvariants": ("operator",),
    "ListModelCallers": ("gateway",),
}
STATISTICS: Final = dict.fromkeys(
    ("GetStats", "GetStatsOfOthers", "ListRequests", "ListRequestsOfOthers"), ("gateway",)
)
# Calls in a user's name show a context of that user, signed by auth. `Record` and `GetSpend` are the gateway's own: it
# keeps the books and rebuilds budgets from them, with nobody there who could show anything.
IN_THEIR_NAME: Final = {
    "GetRequest": UserRow("user_id", "usage:read"),
    "ListModelCallers": UserRow("admin_user_id", "admin"),
    **dict.fromkeys(("GetStats", "ListRequests"), UserRow("user_id", "usage:read")),
    **dict.fromkeys(("GetStatsOfOthers", "ListRequestsOfOthers"), UserRow("admin_user_id", "admin")),
}
# The catalogue is the gateway's own, too: nobody's rows.
CATALOG_FACTS: Final = {"PutCatalogFacts": ("gateway",)}
_SERVICES: Final[tuple[tuple[str, Mapping[str, tuple[str, ...]]], ...]] = (
    ("UsageService", METHODS),
    ("StatisticsService", STATISTICS),
    ("CatalogFactsService", CATALOG_FACTS),
)
CALLERS: Final = {
    f"/razvilka.usage.v1.{service}/{method}": callers
    for service, methods in _SERVICES
    for method, callers in methods.items()
}
