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
    "CheckLedger": ("gateway",),
    "ListModelCallers": ("gateway",),
}
NOTIFICATIONS: Final = (
    *("CreateChannel", "ListChannels", "ChangeChannel", "DeleteChannel", "RotateSecret", "TestChannel"),
    "ConfirmChannel",
    *("ListDeliveries", "Redeliver", "CreateRule", "ListRules", "ChangeRule", "DeleteRule"),
    *("Unsubscribe", "ListWatched", "PutPeople", "ListMails"),
)
REPORTS: Final = (
    *("OrderReport", "GetReport", "ListReports", "DeleteReport", "ReadReport"),
    *("CreateSchedule", "ReplaceSchedule", "GetSchedule", "ListSchedules", "DeleteSchedule"),
)
INSIGHTS: Final = ("GetPatterns", "ListIncidents", "GiveFeedback", "ListRecommendations", "DecideRecommendation")
READS_NOTIFICATIONS: Final = UserRow("user_id", "usage:read")
WRITES_NOTIFICATIONS: Final = UserRow("user_id", "notifications:write")
STATISTICS: Final = ("GetStats", "GetStatsOfOthers", "ListRequests", "ListRequestsOfOthers", "GetPlatformHealth")
# Calls in a user's name show a context of that user, signed by auth. `Record` and `GetSpend` are the gateway's own: it
# keeps the books and rebuilds budgets from them, with nobody there who could show anything; so are `ListWatched` and
# `PutPeople`. What `GetPlatformHealth` tells is nobody's. Whoever unsubscribes shows the link from a mail.
IN_THEIR_NAME: Final = {
    "GetRequest": UserRow("user_id", "usage:read"),
    "CheckLedger": UserRow("admin_user_id", "admin"),
    "ListModelCallers": UserRow("admin_user_id", "admin"),
    "GetForecast": UserRow("user_id", "usage:read"),
    **dict.fromkeys(("GetStats", "ListRequests"), UserRow("user_id", "usage:read")),
    **dict.fromkeys(("GetStatsOfOthers", "ListRequestsOfOthers"), UserRow("admin_user_id", "admin")),
    **dict.fromkeys(("ListChannels", "ListDeliveries", "ListRules"), READS_NOTIFICATIONS),
    **dict.fromkeys(("CreateChannel", "ChangeChannel", "DeleteChannel", "RotateSecret"), WRITES_NOTIFICATIONS),
    **dict.fromkeys(("GetPatterns", "ListIncidents", "ListRecommendations"), UserRow("user_id", "usage:read")),
    **dict.fromkeys(("GiveFeedback", "DecideRecommendation"), UserRow("user_id", "profile:write")),
    # Whoever may have all that is known of their account.
    "ListPersonalData": UserRow("user_id", "profile:read"),
    # Whoever may see what was spent may have it as a file. A link shows by itself which report it opens.
    **dict.fromkeys(REPORTS, UserRow("user_id", "usage:read")),
    **dict.fromkeys(
        ("TestChannel", "ConfirmChannel", "Redeliver", "CreateRule", "ChangeRule", "DeleteRule"), WRITES_NOTIFICATIONS
    ),
}
# The catalogue is the gateway's own, too: nobody's rows.
CATALOG_FACTS: Final = ("PutCatalogFacts",)
_GATEWAY: Final = ("gateway",)
_SERVICES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "UsageService": METHODS,
    "StatisticsService": dict.fromkeys(STATISTICS, _GATEWAY),
    "CatalogFactsService": dict.fromkeys(CATALOG_FACTS, _GATEWAY),
    # What organizations spent is for their budgets: the gateway's own as `GetSpend` is.
    "SharedSpendService": {"GetSharedSpend": _GATEWAY},
    "ForecastService": {"GetForecast": _GATEWAY},
    "InsightsService": dict.fromkeys(INSIGHTS, _GATEWAY),
    "ReportService": dict.fromkeys((*REPORTS, "ReadLinkedReport"), _GATEWAY),
    "PersonalDataService": {"ListPersonalData": _GATEWAY},
    "NotificationService": dict.fromkeys(NOTIFICATIONS, _GATEWAY),
}
CALLERS: Final = {
    f"/razvilka.usage.v1.{service}/{method}": callers
    for service, methods in _SERVICES.items()
    for method, callers in methods.items()
}
